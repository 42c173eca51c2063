"""Raise the rate for a transfer, with a way back: unstored, and undone by the module itself on silence."""

from atota.dialects.model import Dialect
from atota.errors import LinkError, LinkLost, NoAnswer, Refused
from atota.module.session import Session

_SWITCH_S = 0.1
"""The result comes at the old rate, then the module switches; drivers give it 100 ms."""
_TRY_S = 0.5
_ATTEMPTS = 3
_MARGIN_S = 1.0


def transfer_rate(dialect: Dialect, baud: int, wanted: int | None) -> int:
    """The rate that a transfer to a module at ``baud`` goes to, bit/s.

    ``wanted`` is what the user or the board says (0: stay); None: the profile's own, if that is higher.
    """
    if wanted is not None:
        return wanted or baud
    raising = dialect.uart.raising
    return max(baud, raising.default) if raising is not None else baud


def raise_baud(session: Session, target: int) -> bool:
    """Bring both ends to ``target`` bit/s. False if it did not work and both are at the old rate again.

    Raises:
        NoAnswer: the module answers at neither rate.
        ModuleRebooted: it rebooted instead.
        LinkError: the port can't run at ``target``; the module is at its old rate again.
        Refused: this dialect knows no way to ``target``.
    """
    rule, old = session.dialect.uart.raising, session.link.baud
    if target == old:
        return True
    if rule is None or target not in rule.bauds:
        known = ", ".join(map(str, rule.bauds)) if rule is not None else "none"
        raise Refused(
            f"{session.dialect.title} cannot be raised to {target} baud", hint=f"Known rates: {known}."
        )
    try:
        reply = session.command(rule.command.format(baud=target, fallback_s=rule.fallback_s))
        if not reply.ok:
            return False
    except NoAnswer:
        pass  # its answer may have been lost: whether it switched is found out
    session.listen(_SWITCH_S)
    try:
        session.set_baud(target)
    except LinkLost:
        raise
    except LinkError:
        session.listen(rule.fallback_s + _MARGIN_S)
        raise
    if any(session.is_alive(_TRY_S) for _ in range(_ATTEMPTS)):
        return True
    # The module hears nothing it understands: after its own time limit it goes back.
    session.set_baud(old)
    session.listen(rule.fallback_s + _MARGIN_S)
    session.forget()
    if not any(session.is_alive(_TRY_S) for _ in range(_ATTEMPTS)):
        raise NoAnswer(
            "the module was lost while its baud rate was raised",
            tried=(f"{target} baud: no answer", f"{old} baud after {rule.fallback_s} s: no answer"),
            hint="Reset the module and run the command again with --transfer-baud 0.",
        )
    return False
