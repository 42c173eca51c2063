"""Judge if a module may be given a package at all. Pure: values in, a refusal or None out."""

from collections.abc import Container

from atota.dialects.catalogue import Row
from atota.dialects.model import Dialect
from atota.module.identify import Findings, can_read
from atota.settings.spec import Allowed
from atota.values import Refusal

PROVEN: Container[str | None] = ("documented", "family")
"""Evidence that permits a write without the user's word."""


def method_refusal(
    dialect: Dialect, row: Row | None, allowed: Allowed, evidence: str | None
) -> Refusal | None:
    """Return why nothing may be pushed into this module, whatever the package; None if it may."""
    name = row.model if row is not None else "a module that is not in the platform's table"
    if dialect.method is None:
        note = (row.note if row is not None else None) or "`atota modules` shows what is known."
        return Refusal(f"there is no known way to push a package into {name} over its serial port", note)
    if evidence in PROVEN or allowed.unproven or _is_pushed_by_platform(dialect):
        return None  # where nothing is pushed, nothing can be pushed wrongly
    return Refusal(
        f"the evidence that {name} takes the method {dialect.method.kind} is: {evidence}",
        "If you know that this module takes it, give --allow-unproven; the record will say so.",
    )


def package_refusal(dialect: Dialect, allowed: Allowed) -> Refusal | None:
    """Return why a package of the platform does not fit this chip; None if it does."""
    if not dialect.platform_makes_deltas or allowed.vendor_package or _is_pushed_by_platform(dialect):
        return None
    return Refusal(
        "OneNET makes packages for this chip in a format of its own, which the vendor's commands cannot take",
        "If the operator uploaded the vendor's own package, give --vendor-package.",
    )


def version_refusal(findings: Findings, expected: str) -> Refusal | None:
    """Return why the dialect could never read ``expected`` as this module's version; None if it could."""
    if can_read(findings, expected):
        return None
    present = findings.identity.version or findings.identity.revision
    return Refusal(
        f"{expected} cannot be confirmed: the dialect {findings.dialect.name} does not read it as a version "
        f"where this module prints {present}",
        "Give the text that the module will print, as --target or --expect-version, or correct the dialect's "
        "pattern for the version. Nothing was changed.",
    )


def file_refusal(dialect: Dialect) -> Refusal | None:
    """Return why a package from a file cannot be brought into this module; None if it can."""
    if not _is_pushed_by_platform(dialect):
        return None
    return Refusal(
        "only its platform can bring a package into this module: a file from here would be ignored",
        "Create the task in the platform's console, and run `atota update`, which waits for its push.",
    )


def _is_pushed_by_platform(dialect: Dialect) -> bool:
    return dialect.method is not None and dialect.method.starts_itself
