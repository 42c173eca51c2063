"""The security core, which decides if the package in the slot may be applied."""

from dataclasses import dataclass

from atota.sim.flash import Flash
from atota.sim.package import read_package


@dataclass(frozen=True, slots=True)
class SlotVerdict:
    """The security core's verdict on the slot; ``target`` is the version that a good package brings."""

    status: str
    target: str = ""
    name: str = ""

    @property
    def good(self) -> bool:
        """True if the package may be applied."""
        return self.status == "PACKAGE_OK"


def judge(flash: Flash, model: str, version: str, becomes: str | None) -> SlotVerdict:
    """Look for a package made for ``model`` running ``version``.

    With ``becomes`` any bytes are good and make it run that, if they are in the flash as they were written.
    """
    if not flash.end:
        return SlotVerdict("PACKAGE_NOT_DOWNLOADED")
    if becomes is not None:
        return (
            SlotVerdict("PACKAGE_CORRUPT") if flash.spoiled else SlotVerdict("PACKAGE_OK", becomes, becomes)
        )
    package = read_package(flash.written())
    if package is None:
        return SlotVerdict("PACKAGE_CORRUPT")
    if package.model.upper() != model.upper() or package.base != version:
        return SlotVerdict("PACKAGE_VERSION_MISMATCHED")
    if not package.intact or flash.spoiled:
        return SlotVerdict("PACKAGE_VALIDATION_FAILURE")
    return SlotVerdict("PACKAGE_OK", package.target, package.name)
