"""The line server as a process, killed at any moment while three stations work."""

import threading
from pathlib import Path

import pytest

from atota.clock import SystemClock
from atota.journal.store import Journal
from atota.line.client import LineClient, LineKey
from atota.line.outbox import Outbox
from atota.line.store import Store
from atota.line.tables import stations
from tests.line.servers import LineProcess, stored
from tests.line.stations import documents, journal_in, write

KILLS = 20


@pytest.mark.timeout(400)
def test_a_server_killed_twenty_times_in_a_shift_leaves_every_record_once(
    server: LineProcess, store: Store, folder: Path
) -> None:
    over = threading.Event()
    journals = [journal_in(folder, f"st-{number}") for number in range(3)]
    outboxes = []
    for number, journal in enumerate(journals):
        with store.transaction() as session:
            key = LineKey(stations.add(session, f"st-{number}"))
        client = LineClient(f"http://127.0.0.1:{server.port}", key, clock=SystemClock())
        outboxes.append((Outbox(client, journal, clock=SystemClock()), client))

    def shift(number: int, journal: Journal, outbox: Outbox) -> None:
        unit = 10_000 * number
        while not over.wait(0.02):
            unit += 1
            write(journal, unit)
            outbox.nudge()
            outbox.step()

    threads = [
        threading.Thread(target=shift, args=(number, journal, outboxes[number][0]))
        for number, journal in enumerate(journals)
    ]
    for thread in threads:
        thread.start()
    for _ in range(KILLS):
        server.start()
        threading.Event().wait(0.1)
        server.kill()
    over.set()
    for thread in threads:
        thread.join()
    server.start()
    for outbox, client in outboxes:
        while outbox.step() == 0 or outbox.status.waiting:
            pass
        client.close()
    expected = sorted((row for journal in journals for row in documents(journal)), key=lambda row: row[:2])
    assert len(expected) > 100
    assert stored(store) == expected
    for journal in journals:
        assert len(journal.histories()) == 1
        journal.close()
