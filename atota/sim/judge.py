"""The security core: whether what is in the slot may be applied."""

from dataclasses import dataclass

from atota.sim.flash import Flash
from atota.sim.package import read_package


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the security core thinks of the slot, and what a good package makes of the module."""

    status: str
    target: str = ""
    name: str = ""

    @property
    def good(self) -> bool:
        """Whether the package may be applied."""
        return self.status == "PACKAGE_OK"


def judge(flash: Flash, model: str, version: str, becomes: str | None) -> Verdict:
    """Look for a package made for ``model`` running ``version``.

    With ``becomes`` any bytes are good and make it run that, if they are in the flash as they were written.
    """
    if not flash.end:
        return Verdict("PACKAGE_NOT_DOWNLOADED")
    if becomes is not None:
        return Verdict("PACKAGE_CORRUPT") if flash.spoiled else Verdict("PACKAGE_OK", becomes, becomes)
    package = read_package(flash.written())
    if package is None:
        return Verdict("PACKAGE_CORRUPT")
    if package.model.upper() != model.upper() or package.base != version:
        return Verdict("PACKAGE_VERSION_MISMATCHED")
    if not package.intact or flash.spoiled:
        return Verdict("PACKAGE_VALIDATION_FAILURE")
    return Verdict("PACKAGE_OK", package.target, package.name)
