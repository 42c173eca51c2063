"""Firmware over AT commands: from the firmware a module has to the one the OTA platform wants.

The public API is the names of ``__all__``; semantic versioning covers them, `atota.at.parser.Parser` and
`atota.testing`. They load what they need at their first use (PEP 562), so ``import atota`` is cheap and has
no side effects::

    import atota

    print(atota.identify_module("/dev/ttyUSB0").version)
    with atota.open_session("socket://127.0.0.1:5000", dialect="3gpp") as session:
        print(session.command("AT+CSQ", timeout_s=1.0).lines)
"""

import importlib
from typing import TYPE_CHECKING

from atota._version import __version__

if TYPE_CHECKING:
    from atota import errors
    from atota.api import flash_module, identify_module, update_module
    from atota.module.module import open_module
    from atota.module.session import open_session
    from atota.update.job import Job

__all__ = [
    "Job",
    "__version__",
    "errors",
    "flash_module",
    "identify_module",
    "open_module",
    "open_session",
    "update_module",
]

_HOMES = {
    "Job": "atota.update.job",
    "flash_module": "atota.api",
    "identify_module": "atota.api",
    "open_module": "atota.module.module",
    "open_session": "atota.module.session",
    "update_module": "atota.api",
}


def __getattr__(name: str) -> object:
    if name == "errors":
        return importlib.import_module("atota.errors")
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'atota' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
