"""The page of the local OTA platform, made from its own texts: the file, the knobs, the faults."""

import re
from collections.abc import Iterable
from typing import get_args, get_type_hints

from atota.otaserver import model
from atota.otaserver.faults import CALLS, KNOWN
from atota.otaserver.model import Knobs

_HEAD = """\
# The local OTA platform

`atota sim server FOLDER` serves OneNET's three OTA APIs on one port, from one task store: for tests, for a
line without internet, and to see the reports of a job. It takes `FOLDER/tasks.toml` and the packages that the
file names; `--init` makes a folder to begin with and prints an update command for each API.

| API | addresses | the device is |
|---|---|---|
| `generic` | `/ota/…?dev_id=` | a `dev_id` |
| `studio` | `/ota/PRODUCT/NAME/…` | a `product_id` and a `device_name` |
| `fuse` | `/fuse-ota/PRODUCT/NAME/…` | a `product_id` and a `device_name` |

A task that one API began goes on in another. The platform is strict where OneNET's pages are: signatures, the
order of a task's states, versions, ranges. Devices' mistakes that the real platform lets pass are complaints.

## The page

`http://HOST:PORT/` shows people the tasks with their state and progress, the devices with the versions that
the platform has, the last calls (when, in which API, with the answer), and the complaints. It has no script,
and no key, token or whole IMEI is on it. `--json` prints a `request` event for each request.

## `tasks.toml`

```toml
"""
_KNOBS = """\
```

## Knobs

No source answers these questions of STUDIO and FUSE. Each answer is a choice in the table `[knobs]`; the
default is the likeliest.

"""
_FAULTS = """\

## Faults

`--fault NAME[:ARGUMENT][:TIMES][@CALL]`, also several times, makes a mistake on purpose. `TIMES` limits how
often it strikes; `@CALL` limits it to one call: {calls}.
`token` is also the question for a task's status.

"""


def platform_page() -> str:
    """Return the page."""
    example = (model.__doc__ or "").partition("\n\n")[2].strip("\n")
    hints = get_type_hints(Knobs)
    knobs = (
        f"| `{name}` | `{getattr(Knobs(), name)}` "
        f"| {', '.join(map(str, get_args(hints[name]))) or 'a number'} | {text} |"
        for name, text in _attributes()
    )
    faults = (f"| `{kind.syntax.replace('|', chr(92) + '|')}` | {kind.help} |" for kind in KNOWN.values())
    return (
        f"{_HEAD}{example}\n{_KNOBS}{_rows(('knob', 'default', 'choices', 'meaning'), knobs)}"
        f"{_FAULTS.format(calls=', '.join(f'`{call}`' for call in CALLS))}"
        f"{_rows(('fault', 'effect'), faults)}\n_Written by `scripts/docs`; do not edit._\n"
    )


def _rows(heads: tuple[str, ...], lines: Iterable[str]) -> str:
    return "\n".join((f"| {' | '.join(heads)} |", "|" + "---|" * len(heads), *lines, ""))


def _attributes() -> list[tuple[str, str]]:
    """Return each knob with its meaning, as the docstring of `Knobs` has them."""
    text = (Knobs.__doc__ or "").partition("Attributes:\n")[2]
    pairs = re.findall(r"(?ms)^ {8}(\w+): (.*?)(?=^ {8}\w|\Z)", text)
    return [(name, " ".join(meaning.replace("``", "`").split())) for name, meaning in pairs]
