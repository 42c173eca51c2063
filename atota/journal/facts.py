"""The facts that a job writes into the journal, as typed values."""

import msgspec


class Told(msgspec.Struct, frozen=True, tag="told"):
    """A report that the platform accepted: ``what`` is the status or the version, for people."""

    what: str
