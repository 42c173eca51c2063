"""May this module be given this package? Pure: values in, a verdict out. No port, no server, no clock."""

import re

import msgspec

from atota.dialects.catalogue import Row
from atota.dialects.model import Dialect
from atota.errors import Refused
from atota.settings.board import Board
from atota.settings.spec import Allowed
from atota.values import Identity


class Wanted(msgspec.Struct, frozen=True):
    """What the module is to become: the target's name, and the thresholds of the task (0: none).

    ``expected`` is the version text the module will print; the platform's target may be free text.
    ``base`` is the version a difference package was made for, where its name tells.
    """

    target: str
    expected: str
    signal: int = 0
    power: int = 0
    base: str | None = None


class Go(msgspec.Struct, frozen=True):
    """Go on; ``warnings`` are for people."""

    warnings: tuple[str, ...] = ()


class AlreadyCurrent(msgspec.Struct, frozen=True):
    """The module runs the target already."""


class Refusal(msgspec.Struct, frozen=True):
    """Do not touch the slot: why, and what to do next."""

    why: str
    hint: str


def decide(
    identity: Identity, dialect: Dialect, row: Row | None, wanted: Wanted, allowed: Allowed
) -> Go | AlreadyCurrent | Refusal:
    """Judge one module and one task."""
    if wanted.expected in (identity.version, identity.revision):
        return AlreadyCurrent()
    return (
        method_refusal(dialect, row, allowed, identity.evidence)
        or _version_refusal(identity, wanted, allowed)
        or _threshold_refusal(identity, wanted)
        or Go(_warnings(identity, wanted))
    )


def require_accepted(board: Board | None, identity: Identity) -> None:
    """Refuse a module that does not belong on this board.

    Raises:
        Refused: the board's file accepts other models.
    """
    if board is not None and not board.accept.fits(identity.model):
        raise Refused(
            f"the board {board.name} accepts {board.accept.model}; this is {identity.model or 'unknown'}",
            hint="Use the right board file, or change its accept.model. Nothing was changed.",
        )


def method_refusal(
    dialect: Dialect, row: Row | None, allowed: Allowed, evidence: str | None
) -> Refusal | None:
    """Why nothing may be pushed into this module, whatever the task; None if it may."""
    name = row.model if row is not None else "a module that is not in the platform's table"
    if dialect.method is None:
        note = (row.note if row is not None else None) or "`atota modules` tells what is known."
        return Refusal(f"there is no known way to push a package into {name} over its serial port", note)
    if evidence in ("documented", "family") or allowed.unproven or dialect.method.starts_itself:
        return None  # where nothing is pushed, nothing can be pushed wrongly
    return Refusal(
        f"the evidence that {name} takes the method {dialect.method.kind} is: {evidence}",
        "If you know that this module takes it, give --allow-unproven; the record will say so.",
    )


def package_refusal(dialect: Dialect, allowed: Allowed) -> Refusal | None:
    """Why a package from the platform may be none of the vendor's; None if it is."""
    is_pushed_by_platform = dialect.method is not None and dialect.method.starts_itself
    if not dialect.platform_makes_deltas or allowed.vendor_package or is_pushed_by_platform:
        return None
    return Refusal(
        "OneNET makes packages for this chip in a format of its own, which the vendor's commands cannot take",
        "If the operator uploaded the vendor's own package, say so: --vendor-package.",
    )


def _version_refusal(identity: Identity, wanted: Wanted, allowed: Allowed) -> Refusal | None:
    version = identity.version or "an unknown one"
    if wanted.base not in (None, identity.version, identity.revision) and not allowed.any_base:
        return Refusal(
            f"the package was made for the base version {wanted.base}; the module runs {version}",
            "A difference package fits exactly one version. If its name lies, give --any-base.",
        )
    if not allowed.downgrade and is_downgrade(version, wanted.expected):
        return Refusal(
            f"{wanted.expected} is older than {version}, which the module runs",
            "If that is meant, give --allow-downgrade.",
        )
    return None


def _threshold_refusal(identity: Identity, wanted: Wanted) -> Refusal | None:
    # Platform page: the task proceeds above the threshold, so a value that equals it does not pass.
    for name, value, limit, unit in (
        ("signal", identity.signal, wanted.signal, "of 31 (CSQ)"),
        ("battery", identity.battery_percent, wanted.power, "percent"),
    ):
        if limit > 0 and value is not None and value <= limit:
            return Refusal(
                f"the task wants a {name} above {limit}; the module says {value} {unit}",
                "Better the antenna or charge the battery, then run again; the task is untouched.",
            )
    return None


def _warnings(identity: Identity, wanted: Wanted) -> tuple[str, ...]:
    warnings = []
    if wanted.signal > 0 and identity.signal is None:
        warnings.append(f"the task wants a signal above {wanted.signal}; the module tells none")
    if wanted.power > 0 and identity.battery_percent is None:
        warnings.append(f"the task wants a battery above {wanted.power} %; the module tells none")
    return tuple(warnings)


def is_downgrade(current: str, target: str) -> bool:
    """Whether two versions of the same pattern (letters alike, numbers differ) go down."""
    if re.sub(r"\d+", "0", current) != re.sub(r"\d+", "0", target):
        return False
    return [int(n) for n in re.findall(r"\d+", target)] < [int(n) for n in re.findall(r"\d+", current)]


def base_from_name(name: str) -> tuple[str, str] | None:
    """Base and target of a package called ``<base>_TO_<target>[_NN].bin``, as Quectel names them."""
    match = re.fullmatch(r"(.+)_TO_(.+?)(?:_\d{1,3})?\.\w+", name, re.IGNORECASE)
    return (match[1], match[2]) if match else None
