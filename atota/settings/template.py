"""The user's configuration as a file to begin with: every key with its meaning, all of them commented out."""

import textwrap

from atota.settings.kinds import OneOf
from atota.settings.table import Row, in_config

_HEAD = """\
The defaults of atota on this machine. Take the "# " before a key away to set it.
An option wins over an ATOTA_* variable, that over a board file, and that over this file.
A path that is not absolute begins at this file's folder.
The access key never stands here, only the name of its file."""
_WIDTH = 96
_SAMPLES = {
    "first_baud": "115200",
    "timeout_s": "1800",
    "reboot_timeout_s": "600",
    "server": '"https://ota.example.com"',
    "model": '"BC28"',
    "dialect": '"hi2115"',
    "api": '"fuse"',
    "port": '"/dev/ttyUSB0"',
}
"""Values of keys whose type alone gives no likely one."""


def config_text() -> str:
    """Return the text of the file."""
    parts = [_comment(_HEAD)]
    heading = None
    for key, row in in_config().items():
        if row.group not in (None, heading):
            heading = row.group
            parts.append(f"# -- {heading.value} " + "-" * (_WIDTH - len(heading.value) - 6))
        parts.append(_entry(key, row))
    return "\n\n".join(parts) + "\n"


def _comment(text: str) -> str:
    return "\n".join(f"# {line}".rstrip() for line in text.splitlines())


def _entry(key: str, row: Row) -> str:
    lines = textwrap.wrap(row.help, _WIDTH, initial_indent="# ", subsequent_indent="# ")
    if isinstance(row.parse, OneOf):
        lines.append(f"# One of: {', '.join(row.parse.words)}.")
    return "\n".join((*lines, f"# {key} = {_sample(row)}"))


def _sample(row: Row) -> str:
    if row.name in _SAMPLES:
        return _SAMPLES[row.name]
    if row.default is not None:
        return f'"{row.default}"' if isinstance(row.default, str) else str(row.default)
    if isinstance(row.parse, OneOf):
        return f'"{row.parse.words[0]}"'
    return '"folder/file"' if row.is_path else '"text"'
