"""Accounts of people: a name, a role, a PIN that is stored as its scrypt digest."""

import hashlib
import hmac
import secrets
from typing import Literal, get_args

from atota.errors import UsageError
from atota.line.protocol import NAME
from atota.line.store import Session

Role = Literal["read", "lead", "engineer"]
ROLES: tuple[Role, ...] = get_args(Role)
"""From the least to the most: each may do all that those before it may."""
TRIES, LOCK_S = 5, 60
_COST, _BLOCKS, _MEMORY = 2**14, 8, 64 * 1024 * 1024  # scrypt's N and r; about 50 ms


def may(role: Role, needed: Role) -> bool:
    """True if ``role`` includes ``needed``."""
    return ROLES.index(role) >= ROLES.index(needed)


def add(session: Session, name: str, role: Role, pin: str) -> None:
    """Add an account, or give it a new role and PIN.

    Raises:
        UsageError: the name or the PIN will not do.
    """
    if not NAME.fullmatch(name):
        raise UsageError(f"{name!r} is not an account's name", hint="Use letters, digits, '.', '_' and '-'.")
    if len(pin) < 4:
        raise UsageError("the PIN is too short", hint="Choose four characters or more.")
    salt = secrets.token_bytes(16)
    session.run(
        "INSERT INTO line.person (name, role, salt, pin) VALUES (%(name)s, %(role)s, %(salt)s, %(pin)s)"
        " ON CONFLICT (name) DO UPDATE SET role = excluded.role, salt = excluded.salt, pin = excluded.pin,"
        " failures = 0, locked_until = NULL",
        {"name": name, "role": role, "salt": salt, "pin": _digest(pin, salt)},
    )


def remove(session: Session, name: str) -> None:
    """Remove an account.

    Raises:
        UsageError: there is no such account.
    """
    if not session.run("DELETE FROM line.person WHERE name = %(name)s", {"name": name}):
        raise UsageError(f"there is no account {name!r}", hint="`atota line person list` shows them.")


def accounts(session: Session) -> list[tuple[str, Role]]:
    """Return all accounts and their roles."""
    return [(row[0], row[1]) for row in session.rows("SELECT name, role FROM line.person ORDER BY name")]


def account(session: Session, name: str) -> tuple[Role, bytes] | None:
    """Return an account's role, and a stamp that changes with its PIN; None: there is no such account."""
    row = session.row("SELECT role, salt FROM line.person WHERE name = %(name)s", {"name": name})
    return None if row is None else (row[0], bytes(row[1]))


def check(session: Session, name: str, pin: str) -> Role | None:
    """Return the role of an account whose PIN is right; None: it is wrong, or locked after five tries."""
    row = session.row(
        "SELECT role, salt, pin, locked_until > now() FROM line.person WHERE name = %(name)s FOR UPDATE",
        {"name": name},
    )
    role, salt, digest, is_locked = row or (None, b"-" * 16, b"", False)
    is_right = hmac.compare_digest(_digest(pin, bytes(salt)), bytes(digest))
    if role is None or is_locked:
        return None
    if is_right:
        session.run(
            "UPDATE line.person SET failures = 0, locked_until = NULL WHERE name = %(name)s", {"name": name}
        )
        return role  # type: ignore[no-any-return]
    session.run(
        "UPDATE line.person SET failures = failures + 1, locked_until = CASE"
        " WHEN (failures + 1) %% %(tries)s = 0 THEN now() + make_interval(secs => %(lock)s) END"
        " WHERE name = %(name)s",
        {"name": name, "tries": TRIES, "lock": LOCK_S},
    )
    return None


def _digest(pin: str, salt: bytes) -> bytes:
    return hashlib.scrypt(pin.encode(), salt=salt, n=_COST, r=_BLOCKS, p=1, maxmem=_MEMORY)
