"""The lane keys, learned: one unit is plugged after the other, and the link that appears is the lane's.

The station file stays as a person wrote it; only the `path` of the lanes that were learned is replaced, and a
lane that is missing is added at its end.
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from atota.clock import Clock, StopToken
from atota.errors import ConfigError, Interrupted
from atota.files import decode_toml
from atota.station.config import StationFile
from atota.station.sockets import LinkFolder

LOOK_EVERY_S = 0.25
_TAIL = re.compile(r"(?:^|-)(usb(?:v\d)?-.*)")
_NUMBER = re.compile(r"\s*number\s*=\s*(\d+)")
_KEY = re.compile(r"\s*(?:path|port)\s*=")


def tail_of(name: str) -> str:
    """Return the part of a link's name that stays when the controller gets another address."""
    match = _TAIL.search(name)
    return match[1] if match is not None else name


def appearing(links: LinkFolder, clock: Clock, stop: StopToken) -> Iterator[str]:
    """Yield the name of each link that appears, one after the other.

    Raises:
        Interrupted: the stop token was set.
    """
    links.scan()
    known = links.tokens()
    while True:
        if stop.is_set:
            raise Interrupted("stopped before all lanes were learned")
        clock.sleep(LOOK_EVERY_S)
        links.scan()
        now = links.tokens()
        fresh = sorted(name for name, token in now.items() if known.get(name) != token)
        known = now
        if fresh:
            # Of two names for one port (usb-… and usbv2-…) the shorter one is older, and everywhere.
            yield min(fresh, key=len)


def with_paths(text: str, paths: dict[int, str]) -> str:
    """Return a station file with other paths of its lanes."""
    lines = text.splitlines()
    remaining = dict(paths)
    heads = [index for index, line in enumerate(lines) if re.match(r"\s*\[", line)]
    for head, end in reversed(list(pairwise([*heads, len(lines)]))):
        if not re.match(r"\s*\[\[\s*lane\s*\]\]", lines[head]):
            continue
        block = lines[head:end]
        number = next((int(match[1]) for line in block if (match := _NUMBER.match(line))), None)
        if number not in remaining:
            continue
        path = f'path = "{remaining.pop(number)}"'
        at = next((index for index, line in enumerate(block) if _KEY.match(line)), None)
        if at is None:
            block.insert(1, path)
        else:
            block[at] = path
        lines[head:end] = block
    for number, tail in sorted(remaining.items()):
        lines += ["", "[[lane]]", f"number = {number}", f'path = "{tail}"']
    return "\n".join(lines) + "\n"


def write_paths(file: Path, paths: dict[int, str]) -> None:
    """Write learned paths into a station file.

    Raises:
        ConfigError: the file would be wrong with them, or cannot be written; it stays as it was.
    """
    try:
        text = with_paths(file.read_text("utf-8"), paths)
        decode_toml(text, StationFile, name=str(file))
        fresh = file.with_name(f".{file.name}.new")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(file)
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}", hint="Check the file and its folder.") from error
