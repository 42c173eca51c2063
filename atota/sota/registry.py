"""The flashers, by the names of their protocols."""

from importlib import import_module

from atota.settings.chip import Protocol
from atota.sota.flasher import Flasher

_CLASSES: dict[Protocol, str] = {
    "esp32": "atota.sota.esp32:Esp32",
    "gd32": "atota.sota.gd32:Gd32",
    "smp": "atota.sota.smp:Smp",
    "nordic-secure": "atota.sota.nordic_secure:NordicSecure",
    "nordic-legacy": "atota.sota.nordic_legacy:NordicLegacy",
    "tool": "atota.sota.tool:Tool",
}


def flasher_class(protocol: Protocol) -> type[Flasher]:
    """Return the flasher of a protocol."""
    module, _, name = _CLASSES[protocol].partition(":")
    flasher: type[Flasher] = getattr(import_module(module), name)
    return flasher
