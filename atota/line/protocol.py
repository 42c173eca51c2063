"""The words between a station and the line: JSON over HTTP, in one version and the one before it.

A station sends ``X-Atota-Protocol``; without it the first version is meant. Fields are only ever added, with
defaults, and unknown ones are passed over, so a server serves its own version and the one before it. A
station that is newer than its server is refused with a hint.

The records of a journal go up in order. The server's ``next_seq`` for the journal decides, and nothing else::

    POST /v1/journals/J/records {"first_seq": 5, "records": [r5, r6]}   → {"next_seq": 7}
    the same again (the answer was lost)                                → {"next_seq": 7}, nothing is stored
    {"first_seq": 9, …}                                                 → 409 gap,  {"next_seq": 7}
    {"first_seq": 5, "records": [other, …]}                             → 409 fork, {"next_seq": 7}
"""

import re
from typing import Any, Literal

import msgspec

PROTOCOL = 1
"""The version that this atota speaks; a server speaks the one before it, too."""
HEADER = "X-Atota-Protocol"
BATCH_RECORDS = 64
BATCH_BYTES = 256 * 1024
MAX_RECORDS = 1000
MAX_BYTES = 8 * 1024 * 1024
DELTA = 300
"""Units or bindings in one page of a delta: its answer stays below the bound that the HTTP client has."""

JOURNAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
"""A station's, batch's or product's name."""


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Records of a journal.

    ``previous`` is the digest of the record before the first; ``time`` the station's clock, seconds since the
    epoch.
    """

    first_seq: int
    records: list[msgspec.Raw]
    previous: str | None = None
    time: float | None = None


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """The next number of a journal, and the digest of the record before it.

    ``digest`` is that of a record that was asked for. ``identity`` is the database's: another one has
    forgotten everything.
    """

    next_seq: int
    head: str = ""
    digest: str | None = None
    quarantined: list[int] = []
    identity: str = ""
    time: float = 0.0


class Presence(msgspec.Struct, frozen=True, kw_only=True):
    """A sign of life of a station. ``backlog`` counts the records that wait; ``time`` is the station's clock.

    ``identity`` is the database that the station has checked all its journals against; ``seen`` is the number
    of the newest grant that it had from there: a database with fewer was restored from a backup. ``is_told``:
    that database knows all of the purse.
    """

    tool_version: str = ""
    time: float | None = None
    backlog: int = 0
    lanes: int = 0
    running: int = 0
    note: str = ""
    identity: str = ""
    seen: int = 0
    is_told: bool = True


class Here(msgspec.Struct, frozen=True, kw_only=True):
    """The line's answer to a sign of life."""

    identity: str
    time: float
    changes: int
    protocol: int = PROTOCOL


class GrantRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A wish for ``count`` tickets of a batch and ``devices`` ids of a product.

    The ``id`` makes a repetition harmless: it gets the answer that was given before. Without one, the server
    makes it, and a repetition is another wish.
    """

    id: str = ""
    batch: str | None = None
    count: int = 0
    product: str | None = None
    devices: int = 0
    identity: str = ""
    seen: int = 0


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """The tickets and device ids that a station holds from now on.

    ``number`` counts the grants of the database ``identity``; ``left`` is the batch's rest; ``why`` says why
    nothing was granted. ``is_limited`` is false for a batch that the line does not know: it needs no tickets.
    """

    id: str
    batch: str | None = None
    granted: int = 0
    left: int = 0
    product: str | None = None
    device_ids: list[str] = []
    identity: str = ""
    number: int = 0
    why: str = ""
    is_limited: bool = True


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """A station's word about one grant: of ``size`` tickets it spent and gave back so many, ever."""

    id: str
    batch: str
    size: int
    spent: int
    returned: int = 0


class Settlements(msgspec.Struct, frozen=True):
    """All that a station has to say about its grants."""

    settlements: list[Settlement]


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """The line's knowledge of one unit.

    ``state`` is ``done`` (updated, its version read back), ``in-work`` on another lane, or ``unknown``.
    """

    imei: str
    state: Literal["done", "in-work", "unknown"] = "unknown"
    serial: str | None = None
    station: str | None = None
    lane: int | None = None
    batch: str | None = None
    outcome: str | None = None
    version: str | None = None
    done_at: str | None = None
    record: str | None = None


class Units(msgspec.Struct, frozen=True, kw_only=True):
    """Units that changed after a number; ``next`` is the number to ask with next time."""

    units: list[Unit]
    next: int
    more: bool = False
    identity: str = ""


class Binding(msgspec.Struct, frozen=True, kw_only=True):
    """A device id, and the module that it is bound to for ever."""

    device: str
    imei: str


class Bindings(msgspec.Struct, frozen=True, kw_only=True):
    """Bindings of a product after a number; ``next`` is the number to ask with next time."""

    bindings: list[Binding]
    next: int
    more: bool = False
    identity: str = ""


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A wish to work on a unit. ``again``: it may be done already; ``product``: the one of its device id."""

    imei: str
    job: str
    serial: str | None = None
    lane: int | None = None
    seconds: int = 1800
    again: bool = False
    product: str | None = None


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a claim: ``why`` and ``hint`` tell a refusal; ``device`` is the module's bound id."""

    ok: bool
    why: str = ""
    hint: str = ""
    unit: Unit | None = None
    device: str | None = None


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A refusal, as JSON: a stable ``code``, words, a hint."""

    code: str
    message: str
    hint: str = ""


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a refusal; ``next_seq`` and ``head`` where a journal was refused."""

    error: Problem
    next_seq: int | None = None
    head: str | None = None


Document = dict[str, Any]
"""A record, as it lies in a journal: an object of JSON, whose known fields `atota.line.reading` reads."""
