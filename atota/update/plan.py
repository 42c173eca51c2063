"""Decide if a target may be given a package. Pure: no port, no server, no clock."""

import re
from typing import Self

import msgspec

from atota.errors import Refused
from atota.settings.board import Board
from atota.settings.spec import Allowed, LocalPackage
from atota.values import Identity, MethodChoice, Refusal


class Goal(msgspec.Struct, frozen=True):
    """The version that a job is to reach, and the thresholds of its task (0: none).

    ``target`` is the platform's or the user's name of the version, which may be free text; ``expected`` is
    the text that the target prints. ``base`` is the version that a difference package was made for, where
    its name says so.
    """

    target: str
    expected: str
    signal: int = 0
    power: int = 0
    base: str | None = None


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """The update that a job is about to begin, as it is put to the user.

    ``package`` is the name of its file, where that is known before the download; ``size``, ``block`` and
    ``room`` (of the slot, where a document says it) in bytes. Without ``goal`` the platform was not asked.
    """

    identity: Identity
    dialect: str
    method: str
    block: int | None = None
    room: int | None = None
    goal: Goal | None = None
    package: str | None = None
    size: int | None = None

    @classmethod
    def of(
        cls,
        identity: Identity,
        choice: MethodChoice,
        goal: Goal | None,
        local: LocalPackage | None,
        size: int | None,
    ) -> Self:
        """Make it of the parts of a job; ``local`` is a package of this machine, if the job has one."""
        return cls(
            identity=identity,
            dialect=choice.dialect,
            method=choice.method,
            block=choice.block,
            room=choice.room,
            goal=goal,
            package=local.path.name if local is not None and not local.stands_in else None,
            size=size,
        )

    @property
    def fits_base(self) -> bool | None:
        """True if the package was made for a version that the target runs; None if it does not say."""
        base = self.goal.base if self.goal is not None else None
        return None if base is None else self.identity.versions.has(base)

    @property
    def fits_slot(self) -> bool | None:
        """True if the slot has room for the package; None if its size or the package's is not known."""
        return None if self.room is None or self.size is None else self.size <= self.room


class Proceed(msgspec.Struct, frozen=True):
    """Permission to write; ``warnings`` are for people."""

    warnings: tuple[str, ...] = ()


class AlreadyCurrent(msgspec.Struct, frozen=True):
    """The target runs the goal's version already."""


Decision = Proceed | AlreadyCurrent | Refusal


def decide(
    identity: Identity,
    goal: Goal,
    allowed: Allowed,
    *refusals: Refusal | None,
    is_confirmed: bool = False,
) -> Decision:
    """Judge one target and one goal.

    Args:
        identity: who the target is.
        goal: the version that it is to get.
        allowed: the risks that the user takes.
        refusals: the target's own reasons against a write, in their order; None: there is no such reason.
        is_confirmed: an earlier job read the target's very build back under the goal's name.
    """
    if is_confirmed or identity.versions.is_exactly(goal.expected):
        return AlreadyCurrent()
    for printed in (identity.version, identity.revision):
        if printed is not None and printed != goal.expected and printed.lower() == goal.expected.lower():
            return Refusal(
                f"{goal.expected} and {printed}, which the module runs, differ in case only",
                "Give the target as the module prints it. Nothing was changed.",
            )
    for refusal in (*refusals, _version_refusal(identity, goal, allowed), _threshold_refusal(identity, goal)):
        if refusal is not None:
            return refusal
    return Proceed(_warnings(identity, goal))


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


def _version_refusal(identity: Identity, goal: Goal, allowed: Allowed) -> Refusal | None:
    versions = identity.versions
    version = versions.full or versions.version or "an unknown one"
    if goal.base is not None and not (versions.has(goal.base) or allowed.any_base):
        return Refusal(
            f"the package was made for the base version {goal.base}; the module runs {version}",
            "A difference package fits exactly one version. If its name is wrong, give --any-base.",
        )
    if not allowed.downgrade and any(is_downgrade(text, goal.expected) for text in versions.texts):
        return Refusal(
            f"{goal.expected} is older than {version}, which the module runs",
            "If you want the older version, give --allow-downgrade.",
        )
    return None


def _threshold_refusal(identity: Identity, goal: Goal) -> Refusal | None:
    # Platform page: the task proceeds above the threshold, so a value that equals it does not pass.
    for name, value, limit, unit in (
        ("signal", identity.signal, goal.signal, "of 31 (CSQ)"),
        ("battery", identity.battery_percent, goal.power, "percent"),
    ):
        if limit > 0 and value is not None and value <= limit:
            return Refusal(
                f"the task requires a {name} above {limit}; the module reports {value} {unit}",
                "Improve the antenna signal or charge the battery, then run again; the task is unchanged.",
            )
    return None


def _warnings(identity: Identity, goal: Goal) -> tuple[str, ...]:
    warnings = []
    if identity.versions.has(goal.expected):
        warnings.append(
            f"several builds are called {goal.expected}, and the module runs one of them "
            f"({identity.full_version}): it is updated all the same"
        )
    if goal.signal > 0 and identity.signal is None:
        warnings.append(f"the task requires a signal above {goal.signal}; the module reports none")
    if goal.power > 0 and identity.battery_percent is None:
        warnings.append(f"the task requires a battery above {goal.power} %; the module reports none")
    return tuple(warnings)


def is_downgrade(current: str, target: str) -> bool:
    """True if two versions of the same pattern (letters alike, numbers differ) go down."""
    if re.sub(r"\d+", "0", current) != re.sub(r"\d+", "0", target):
        return False
    return [int(n) for n in re.findall(r"\d+", target)] < [int(n) for n in re.findall(r"\d+", current)]


def base_from_name(name: str) -> tuple[str, str] | None:
    """Return base and target of a package called ``<base>_TO_<target>[_NN].bin``, Quectel's form."""
    match = re.fullmatch(r"(.+)_TO_(.+?)(?:_\d{1,3})?\.\w+", name, re.IGNORECASE)
    return (match[1], match[2]) if match else None
