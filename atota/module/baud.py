"""The baud rate: find the one at which a module talks, and raise it for a transfer.

*Search.* At each rate of the dialect a few ``AT`` are sent, until something intelligible comes back::

    -> AT          9600 baud    <- f8 00 80 …     noise: the wrong rate, or a boot ROM at its own
    -> AT        115200 baud    <- AT OK          found

A module in its boot is mute or noisy at every rate. So noise is worth another round over all rates, and
silence another round over the likeliest ones. One that prints lines and does not answer boots, or updates
itself (`atota.module.self_update`): its rate is right, and an update ends the search.

*Raising.* The higher rate is never stored. The module undoes it by itself if it hears nothing intelligible
within its fallback time, so a failed change always ends at the old rate.
"""

import enum
from collections.abc import Callable, Sequence

from atota.clock import Deadline
from atota.dialects.model import Dialect, RaiseBaud
from atota.errors import LinkError, LinkLost, NoAnswer, Refused
from atota.link.base import sets_rate
from atota.module.loopback import OwnBytes, raise_if_looped
from atota.module.self_update import LineLog, OnUpdate
from atota.module.session import Session

_FIRST_TRY_S = 0.6
"""Limit for one AT at a rate that is only tried: a module answers within 300 ms."""
_CALM_S = 0.05
"""The module's responses to noise at wrong rates may still be on their way."""
_ROUNDS = 3
"""Rounds over all rates, if there was noise: a boot takes up to half a minute (M5310-A)."""
_LIKELY = 3
"""Number of rates, the likeliest, that are tried again after silence: profiles name the usual ones first."""
_BOOT_PATIENCE_S = 3.0
"""A module that was just powered dribbles its banner for about this long (field logs of BC28)."""
_BOOT_LIMIT_S = 12.0
"""EC21 prints its last start-up word 5 s after the first, BG96 up to 8 s after it (their AT manuals)."""
_SWITCH_S = 0.1
"""The result comes at the old rate, then the module switches; drivers give it 100 ms."""
_TRY_S = 0.5
_ATTEMPTS = 3
_MARGIN_S = 1.0


def find_baud(
    session: Session,
    *,
    first: int | None = None,
    only: int | None = None,
    on_update: OnUpdate | None = None,
    on_try: Callable[[str], None] | None = None,
) -> int:
    """Find the rate at which the module answers, wake it if it sleeps, and leave the link at that rate.

    Args:
        session: the conversation; its dialect lists the rates worth trying.
        first: the rate to try before all others, bit/s.
        only: the only rate to try, bit/s.
        on_update: wait for the end of an update that the module carries out by itself, and call this
            with its progress; None: do not wait.
        on_try: called with the outcome at each rate that is not answered.

    Raises:
        NoAnswer: nothing intelligible at any rate; ``tried`` has one line for each.
        SelfUpdating: the module updates itself, and ``on_update`` is None.
    """
    if not sets_rate(session.link.name):  # the far end has a rate of its own: patience is all that helps
        bauds: tuple[int, ...] = (session.link.baud,) * _LIKELY
    elif only is not None:
        bauds = (only,)
    else:
        start = (first,) if first is not None else ()
        bauds = tuple(dict.fromkeys((*start, *session.dialect.uart.bauds)))
    tried: dict[int, str] = {}
    for _ in range(_ROUNDS):
        if _found_among(session, bauds, tried, on_update, on_try):
            return session.link.baud
        # Noise, and yet no rate fits: the module may be in its boot, and all rates are worth another round.
        if not any("bytes" in line for line in tried.values()):
            # Silence may be a boot, too, that ended at a rate which had had its turn.
            if _found_among(session, bauds[:_LIKELY], tried, on_update, on_try):
                return session.link.baud
            break
    hint = "Check power, TX/RX (crossed?) and ground; in deep sleep it may need its wake-up or reset line."
    if any("text" in line for line in tried.values()):
        hint = "It sends and does not answer: check the wire to its RX, or wait until it has started."
    raise NoAnswer(
        "no readable response from the module",
        tried=tuple(tried[baud] for baud in dict.fromkeys(bauds)),
        hint=hint,
    )


def _found_among(
    session: Session,
    bauds: Sequence[int],
    tried: dict[int, str],
    on_update: OnUpdate | None,
    on_try: Callable[[str], None] | None,
) -> bool:
    """True if the module answers at one of the rates; ``tried`` gets a line for each of the others.

    The first rate gets the most attempts.
    """
    for index, baud in enumerate(bauds):
        tried.pop(baud, None)
        attempts = session.dialect.uart.wake_attempts if index == 0 else 2
        with LineLog(session) as log:
            if _answers_at(session, baud, attempts, tried, log):
                session.listen(_CALM_S)
                return True
            if log.is_updating:
                if on_update is None:
                    raise log.error
                if log.wait(on_update):
                    session.listen(_CALM_S)
                    return True
        tried.setdefault(baud, log.description)
        if on_try is not None:
            on_try(tried[baud])
    return False


def _answers_at(session: Session, baud: int, attempts: int, tried: dict[int, str], log: LineLog) -> bool:
    """True if the module answers one of ``attempts`` ATs at this rate: a sleeping one loses some."""
    try:
        if session.link.baud != baud:  # at the same rate nothing that is outstanding may be forgotten
            session.set_baud(baud)
    except LinkLost:
        raise
    except LinkError as error:
        tried[baud] = f"{baud} baud: {error.message}"
        return False
    for _ in range(attempts):
        received, noise = session.received_bytes, session.garbage_bytes
        with OwnBytes(session) as own:
            if session.is_alive(_FIRST_TRY_S):
                return True
        if own.are_all(1):
            raise_if_looped(session)
        talks = session.received_bytes - received > 2 * (session.garbage_bytes - noise)
        if session.booting or talks:
            return _answers_after_start(session, log)
    return False


def _answers_after_start(session: Session, log: LineLog) -> bool:
    """True if a module that talks at this rate and does not listen answers once its start-up is over."""
    limit = Deadline(session.clock, _BOOT_LIMIT_S)
    patience = Deadline(session.clock, _BOOT_PATIENCE_S)
    while not (patience.expired or limit.expired or log.is_updating):
        received = session.received_bytes
        if session.booting:
            session.await_boot(0.0)
        if session.is_alive(_FIRST_TRY_S):
            return True
        if session.received_bytes != received:
            patience = Deadline(session.clock, _BOOT_PATIENCE_S)
    return False


def transfer_rate(dialect: Dialect, baud: int, requested: int | None) -> int:
    """Return the highest rate for a transfer to a module at ``baud``, bit/s.

    ``requested`` is the user's or the board's value (0: stay); None: the fastest of the profile.
    """
    if requested is not None:
        return requested or baud
    raising = dialect.uart.raising
    return max(baud, *raising.bauds) if raising is not None else baud


class Switched(enum.Enum):
    """The end of an attempt to change the rate."""

    DONE = "the module answers at the new rate"
    REFUSED = "the module refused; both ends are at the old rate"
    DEAF = "the module heard nothing at the new rate; both ends are back at the old one"


def raise_baud(session: Session, target: int) -> bool:
    """Bring both ends to ``target`` bit/s. Return False if both are back at the old rate instead.

    Raises:
        NoAnswer: the module answers at neither rate.
        ModuleRebooted: it rebooted instead.
        LinkError: the port can't run at ``target``; the module is at its old rate again.
        Refused: this dialect knows no way to ``target``.
    """
    rule = session.dialect.uart.raising
    if target == session.link.baud:
        return True
    if rule is None or target not in rule.bauds:
        known = ", ".join(map(str, rule.bauds)) if rule is not None else "none"
        raise Refused(
            f"{session.dialect.title} cannot be raised to {target} baud", hint=f"Known rates: {known}."
        )
    return switch(session, rule, target) is Switched.DONE


def switch(session: Session, rule: RaiseBaud, target: int) -> Switched:
    """Change the rate of both ends to ``target``, which is any rate of the module's, lower ones too.

    Raises:
        NoAnswer, ModuleRebooted, LinkError: as `raise_baud`.
    """
    old = session.link.baud
    try:
        text = rule.command.format(baud=target, fallback_s=rule.fallback_s)
        response = session.command(text, timeout_s=rule.fallback_s / 2)
        if not response.ok:
            return Switched.REFUSED
    except NoAnswer:
        pass  # the response may have been lost; in the time that is left the attempts show if it switched
    session.listen(_SWITCH_S)
    try:
        session.set_baud(target)
    except LinkLost:
        raise
    except LinkError:
        session.listen(rule.fallback_s + _MARGIN_S)
        raise
    if any(session.is_alive(_TRY_S) for _ in range(_ATTEMPTS)):
        return Switched.DONE
    # The module hears nothing it understands: after its own time limit it goes back.
    session.set_baud(old)
    session.listen(rule.fallback_s + _MARGIN_S)
    session.reset_state()
    if not any(session.is_alive(_TRY_S) for _ in range(_ATTEMPTS)):
        raise NoAnswer(
            "the module was lost while its baud rate was raised",
            tried=(f"{target} baud: no answer", f"{old} baud after {rule.fallback_s} s: no answer"),
            hint="Reset the module and run the command again with --transfer-baud 0.",
        )
    return Switched.DEAF
