"""The doctor's findings: one a check, each with the next thing to do, and the end of the whole."""

from collections.abc import Iterable
from typing import Literal, get_args

import msgspec

from atota.errors import AtotaError, ConfigError, LinkError, ModuleError, ServerError

Group = Literal["station", "port", "line", "module", "chip", "time", "platform"]
GROUPS: tuple[Group, ...] = get_args(Group)
State = Literal["ok", "warning", "bad", "unknown"]

_KINDS: dict[Group, type[AtotaError]] = {
    "station": ConfigError,
    "port": LinkError,
    "line": ModuleError,
    "module": ModuleError,
    "chip": ModuleError,
    "time": ModuleError,
    "platform": ServerError,
}
KEY, AUTHORIZATION, PRODUCT_ID, DEVICE = "key", "authorization", "product id", "device"
_GIVEN = {KEY, AUTHORIZATION, PRODUCT_ID}
"""Checks of the platform's group that are about the user's settings, not about the server."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one check.

    ``unknown``: it was not made, or cannot be decided. ``next`` is the next thing to do, empty if nothing
    is; ``port`` the port that it is about.
    """

    group: Group
    check: str
    state: State
    says: str
    next: str = ""
    port: str | None = None


def finding(
    group: Group, check: str, state: State, says: str, next_: str = "", *, port: str | None = None
) -> Finding:
    """Return a finding; each module of the doctor binds its group to this."""
    return Finding(group=group, check=check, state=state, says=says, next=next_, port=port)


def blamed(group: Group, check: str, error: AtotaError, *, port: str | None = None) -> Finding:
    """Return the finding that one of our errors makes, with everything that was tried."""
    says = "; ".join((error.message, *error.tried))
    return Finding(group=group, check=check, state="bad", says=says, next=error.hint, port=port)


def unseen(group: Group, checks: Iterable[str], why: str, *, port: str | None = None) -> list[Finding]:
    """Return the findings of checks that could not be made."""
    says = f"not looked at: {why}"
    return [Finding(group=group, check=check, state="unknown", says=says, port=port) for check in checks]


def ending(findings: Iterable[Finding]) -> AtotaError | None:
    """Return the error with which the command ends, that of the first bad finding; None without one."""
    bad = [one for one in findings if one.state == "bad"]
    if not bad:
        return None
    first = bad[0]
    kind = ConfigError if first.check in _GIVEN else _KINDS[first.group]
    return kind(f"{_things(len(bad))} to mend, first: {first.says}", hint=first.next or None)


def summary(findings: Iterable[Finding]) -> str:
    """Return the last line of the page."""
    states = [one.state for one in findings]
    bad, warnings, unknown = (states.count(state) for state in ("bad", "warning", "unknown"))
    parts = [f"{_things(bad)} to mend" if bad else "nothing is wrong"]
    if warnings:
        parts.append(f"{warnings} warning{'s' if warnings > 1 else ''}")
    if unknown:
        parts.append(f"{unknown} not known")
    return ", ".join(parts)


def _things(count: int) -> str:
    return "1 thing" if count == 1 else f"{count} things"
