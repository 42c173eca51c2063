"""Loopback: TX is joined to RX, so that only the own bytes come back.

A module with echo returns the own bytes, too, while it is busy. But it does so at its own rate alone, and
answers in the end; a wire returns them at every rate, and nothing else::

    -> AT     9600 baud    <- AT
    -> AT   115200 baud    <- AT
    -> AT     9600 baud    <- AT      … five times: nothing but a wire does that
"""

from typing import Self

from atota.at.events import Echo, Event
from atota.errors import LinkError, LinkLost, NoAnswer
from atota.module.session import Session

_TRIES = 5
_TRY_S = 0.6
"""A module answers within 300 ms by the manuals."""
_OTHER_RATES = (115200, 9600)
_AT = b"AT"


class Looped(NoAnswer):
    """Only the own bytes come back."""

    code = "module.looped"
    default_hint = (
        "The adapter works. Take the bridge between TX and RX away and join the module: its TX to RX, its RX "
        "to TX, ground to ground. An adapter for a single wire (RS-485) returns the own bytes, too."
    )


class OwnBytes:
    """The bytes that came since it was made, compared with those of one ``AT``."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._before = session.listener
        self._received = session.received_bytes
        self._events: list[Event] = []

    def __enter__(self) -> Self:
        self._session.listener = self._on_event
        return self

    def __exit__(self, *_: object) -> None:
        self._session.listener = self._before

    def are_all(self, attempts: int) -> bool:
        """True if they are those of so many ``AT``, each with its carriage return, and no others."""
        count = self._session.received_bytes - self._received
        return count == attempts * (len(_AT) + 1) and self._events == [Echo(_AT)] * attempts

    def _on_event(self, event: Event) -> None:
        self._events.append(event)
        if self._before is not None:
            self._before(event)


def raise_if_looped(session: Session) -> None:
    """Raise if nothing but the own bytes comes back, whatever the rate; the rate stays as it is.

    Raises:
        Looped: it does so.
    """
    home = session.link.baud
    other = next(baud for baud in _OTHER_RATES if baud != home)
    try:
        is_looped = all(_returns(session, (other, home)[index % 2]) for index in range(_TRIES))
    finally:
        _set_rate(session, home)
    if is_looped:
        raise Looped(
            "only the own bytes come back: TX is joined to RX, and no module answers",
            tried=(f"{home} and {other} baud: each AT came back as it was sent, and nothing else",),
        )


def _returns(session: Session, baud: int) -> bool:
    _set_rate(session, baud)
    with OwnBytes(session) as own:
        return not session.is_alive(_TRY_S) and own.are_all(1)


def _set_rate(session: Session, baud: int) -> None:
    """Set the rate, where the port can run at it."""
    try:
        if session.link.baud != baud:
            session.set_baud(baud)
    except LinkLost:
        raise
    except LinkError:
        return
