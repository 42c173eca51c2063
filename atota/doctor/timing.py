"""The estimated time of an update of a given size: the wire, the waits for responses, the module's own time.

The method's own numbers come from its spec, the time of one response from a measurement. The time in which
the module stores a piece is that of the last job on this line, else the profile's: the estimate is "about".
"""

import math
import re

import msgspec

from atota.dialects.model import DEFAULT_REBOOT, Dialect
from atota.doctor.findings import Finding
from atota.errors import UsageError
from atota.link.state import LineState
from atota.module import baud as rates_of

DEFAULT_SIZE = 200 * 1024
"""Difference packages of NB-IoT modules have some tens to some hundreds of KiB."""
UNMEASURED_TURN_S = 0.02
"""The time of a response beyond the wire without a measurement: ours, for a module that answers at once."""
_LARGEST = 64 * 1024 * 1024  # a slot of the modules in the catalogue has a few MiB at most
_OTHER_STEPS = ("prepare", "validate", "activate", "confirm")
_UNITS = {"": 1, "k": 1024, "m": 1024 * 1024}
_SIZE = re.compile(r"(\d{1,9}(?:\.\d{1,3})?) ?([km]?)(?:i?b)?", re.IGNORECASE | re.ASCII)


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """The estimated time of an update at one rate, in seconds, by its shares."""

    baud: int
    pieces: int
    wire_s: float
    waits_s: float
    others_s: float
    reboot_s: float
    is_hex: bool = False

    @property
    def total_s(self) -> float:
        """The sum of the shares."""
        return self.wire_s + self.waits_s + self.others_s + self.reboot_s


def parse_size(text: str) -> int:
    """Return a number of bytes as people write it: ``204800``, ``200k``, ``1.5 MiB``.

    Raises:
        UsageError: it is not a size, or larger than any slot.
    """
    match = _SIZE.fullmatch(text.strip())
    size = round(float(match[1]) * _UNITS[match[2].lower()]) if match else 0
    if not 0 < size <= _LARGEST:
        raise UsageError(
            f"{text!r} is not the size of a package", hint="Give bytes up to 64 MiB: --size 204800 or 200k."
        )
    return size


def estimate(
    dialect: Dialect,
    *,
    size: int,
    baud: int,
    turn_s: float,
    known: LineState | None = None,
) -> Estimate | None:
    """Estimate an update of ``size`` bytes at ``baud``; None if the package does not go over the wire.

    ``turn_s`` is the time of one response beyond its bytes: that of the module, the adapter and this machine.
    ``known`` is the block length of the last job on this line, and its time of a block beyond the wire.
    """
    method = dialect.method
    if method is not None and known is not None and known.block is not None:
        method = method.with_block(known.block)
    plan = method.wire_plan(baud, size) if method is not None else None
    if method is None or plan is None:
        return None
    measured_s = known.block_s if known is not None else None
    turn_s = turn_s + method.store_s if measured_s is None else measured_s
    pieces = math.ceil(size / plan.piece)
    # An echo costs nothing: each byte comes back while the next one is sent (V.250 6.2.3).
    piece_s = (plan.line + plan.data + plan.down) * 10 / baud
    wire_s = piece_s * size / plan.piece  # the last piece is shorter
    waits_s = pieces * (plan.turns * (turn_s + dialect.uart.pause_after_final_s))
    waits_s += pieces * max(0.0, plan.pause_s - piece_s)
    reboot = dialect.reboot or DEFAULT_REBOOT
    return Estimate(
        baud=baud,
        pieces=pieces,
        wire_s=wire_s,
        waits_s=waits_s,
        others_s=_others_s(dialect, reboot.usual_s),
        reboot_s=reboot.seen_s or reboot.usual_s,
        is_hex=plan.is_hex,
    )


def transfer_rate(
    dialect: Dialect, baud: int, target: int | None = None, known: LineState | None = None
) -> int:
    """Return the rate to which an update of a module at ``baud`` is raised, as the job decides it.

    ``target`` is the board's rate (0: never raise it); None: the fastest of the profile that the line is not
    ``known`` to be too bad for.
    """
    raising, rate = dialect.uart.raising, rates_of.transfer_rate(dialect, baud, target)
    if target is None and raising is not None and known is not None and known.bad:
        rate = max([baud, *(one for one in raising.bauds if one < min(known.bad))])
    possible = target is None or (raising is not None and rate in raising.bauds)
    return rate if possible else baud


def judge_time(
    dialect: Dialect,
    *,
    size: int,
    baud: int,
    turn_s: float,
    target: int | None = None,
    assumed: bool = False,
    port: str | None = None,
    known: LineState | None = None,
) -> list[Finding]:
    """Estimate the time at the present rate, and at the one to which an update raises it.

    ``known`` is the state of the line in the last job on it. ``assumed``: the rate is that of a far end, and
    may be another one.
    """
    rates = dict.fromkeys((baud, transfer_rate(dialect, baud, target, known)))
    all_rates = (estimate(dialect, size=size, baud=rate, turn_s=turn_s, known=known) for rate in rates)
    estimates = [one for one in all_rates if one is not None]
    if not estimates:
        return [_unknown(dialect, port)]
    present = " (if the far end runs at this rate)" if assumed else ""
    raised = " (an update raises the rate to this" + (
        ", as the last one did)" if known is not None else " if the line carries it)"
    )
    return [
        Finding(
            group="time",
            check=f"at {one.baud}",
            state="ok",
            says=spell_estimate(one, size) + (raised if one.baud != baud else present),
            port=port,
        )
        for one in estimates
    ]


def _unknown(dialect: Dialect, port: str | None) -> Finding:
    reboot_s = (dialect.reboot or DEFAULT_REBOOT).usual_s
    if dialect.method is None:
        says = "no way to push a package into this module is known"
    else:
        says = (
            f"the module fetches the package over the network ({dialect.method.kind}), which cannot be "
            f"estimated from here; the update itself usually takes {spell(reboot_s)}"
        )
    return Finding(group="time", check="update", state="unknown", says=says, port=port)


def spell_estimate(cost: Estimate, size: int) -> str:
    """Return an estimate in words, with its shares."""
    responses = f" for {cost.pieces} responses" if cost.pieces > 1 else ""
    shares = [
        f"{spell(cost.wire_s)} on the wire{' (hex doubles it)' if cost.is_hex else ''}",
        f"{spell(cost.waits_s)} waiting{responses}",
        f"{spell(cost.others_s)} the other steps" if cost.others_s >= 1 else "",
        f"{spell(cost.reboot_s)} reboot",
    ]
    return f"about {spell(cost.total_s)} for {size} bytes: " + ", ".join(share for share in shares if share)


def spell(seconds: float) -> str:
    """Return seconds in words, rounded as people say them."""
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s" if whole >= 1 else "less than 1 s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if minutes < 10 and rest else f"{round(whole / 60)} min"
    return f"{minutes // 60} h {minutes % 60} min"


def _others_s(dialect: Dialect, reboot_s: float) -> float:
    """Return the time of the steps before and after the write, by the profile's shares of the reboot."""
    reboot = dialect.weights.get("reboot", 0.0)
    return reboot_s * sum(dialect.weights.get(step, 0.0) for step in _OTHER_STEPS) / reboot if reboot else 0.0
