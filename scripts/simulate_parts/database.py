"""One database in memory for all the runs of a process, as empty for each as for the first.

Making the journal's tables, and compiling its statements, takes longer than all that a job writes. So the
tables are made once, a run happens inside one transaction, and that is rolled back when the run is over.
The journal's own transactions are savepoints in it, which to the journal are the same.
"""

import functools
import sqlite3
from typing import Any

from atota.clock import SimulatedClock
from atota.journal.store import Journal

_INNER = {
    "BEGIN": "SAVEPOINT journal",
    "BEGIN IMMEDIATE": "SAVEPOINT journal",
    "COMMIT": "RELEASE journal",
}


class RunDatabase(sqlite3.Connection):
    """A journal's database that can be emptied."""

    _within = False

    @property
    def in_transaction(self) -> bool:
        """True if the journal is in a transaction of its own."""
        return self._within

    def execute(self, statement: str, *parameters: Any) -> sqlite3.Cursor:
        """Execute a statement; those of transactions become savepoints."""
        inner = _INNER.get(statement)
        if inner is not None:
            self._within = inner.startswith("SAVEPOINT")
            return super().execute(inner)
        if statement == "ROLLBACK":
            self._within = False
            super().execute("ROLLBACK TO journal")
            return super().execute("RELEASE journal")
        return super().execute(statement, *parameters)

    def empty(self) -> None:
        """Roll back all that was written since it was emptied last."""
        self._within = False
        if super().in_transaction:
            super().execute("ROLLBACK")
        super().execute("BEGIN")


@functools.cache
def _of_this_process() -> RunDatabase:
    # The threads of a station's shift take turns, so one at a time uses it.
    database = sqlite3.connect(
        ":memory:", cached_statements=256, check_same_thread=False, factory=RunDatabase
    )
    Journal.on(database, clock=SimulatedClock())
    return database


def empty_database() -> RunDatabase:
    """The database of this process, with the journal's tables and nothing in them."""
    database = _of_this_process()
    database.empty()
    return database
