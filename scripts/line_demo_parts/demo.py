"""A line to look at: a real PostgreSQL in a temporary folder, the server, three simulated stations.

Opens nothing by itself: it prints the address of the manager page, and goes on until Ctrl-C.
"""

import argparse
import random
import sys
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path

from atota.cli.commands.sim import tcp_address
from atota.clock import SystemClock
from atota.errors import Outcome
from atota.journal.store import Journal
from atota.line.app import line_app
from atota.line.client import LineClient, LineKey
from atota.line.escrow import Escrow, Wish
from atota.line.outbox import Activity, Outbox
from atota.line.page import Page
from atota.line.service import GrantMemory, LineService
from atota.line.store import Store
from atota.line.tables import quota, schema, stations
from atota.listener import listen_on
from atota.web import RunningApp
from tests.line.postgres import Postgres, binaries
from tests.line.stations import write

STATIONS = ("st-01", "st-02", "st-03")
LANES = 8
QUOTA = 500
FAILURES = (Outcome.WRITE_FAILED, Outcome.OLD_VERSION)


def main() -> int:
    parser = argparse.ArgumentParser(prog="line-demo", description=__doc__)
    parser.add_argument("--listen", default="127.0.0.1:8443", help="HOST:PORT of the page; port 0: any")
    parser.add_argument("--seconds", type=float, help="end after so long")
    arguments = parser.parse_args()
    if binaries() is None:
        print("PostgreSQL is not installed: apt-get install postgresql", file=sys.stderr)
        return 3
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        print("starting PostgreSQL in a temporary folder …", file=sys.stderr)
        postgres = stack.enter_context(Postgres())
        serve(stack, postgres.url, folder, *tcp_address(arguments.listen))
        try:
            threading.Event().wait(arguments.seconds)
        except KeyboardInterrupt:
            print("ending …", file=sys.stderr)
    return 0


def serve(stack: ExitStack, database: str, folder: Path, host: str, port: int) -> None:
    clock = SystemClock()
    store = stack.enter_context(Store(database, clock=clock))
    schema.migrate(store)
    with store.transaction() as session:
        keys = [LineKey(stations.add(session, name)) for name in STATIONS]
        quota.new_batch(session, "B-2026-118", QUOTA, product="meter", target="BC28JAR01A05")
    listener = listen_on(host, port)
    service = LineService(store, clock=clock, memory=GrantMemory(folder))
    page = Page(store, living=service.living, clock=clock, listener=listener, names=(), is_tls=False)
    app = line_app(service, page)
    running = stack.enter_context(RunningApp(app, listener))
    over = threading.Event()
    threads = [
        threading.Thread(target=work, args=(folder, number, LineClient(running.url, key, clock=clock), over))
        for number, key in enumerate(keys)
    ]
    for thread in threads:
        stack.callback(thread.join)
    stack.callback(over.set)
    for thread in threads:
        thread.start()
    print(f"the manager page is on {running.url}/  (Ctrl-C ends it)", flush=True)


def work(folder: Path, number: int, client: LineClient, over: threading.Event) -> None:
    """One simulated station: its lanes end a job now and then."""
    chance, clock, unit = random.Random(number), SystemClock(), 100_000 * number  # noqa: S311 - a demo
    journal = Journal(folder / f"{STATIONS[number]}.sqlite3", clock=clock)
    purse = Escrow(folder / f"{STATIONS[number]}.purse")
    outbox = Outbox(
        client,
        journal,
        clock=clock,
        escrow=purse,
        wish=lambda: Wish(batch="B-2026-118", tickets=40),
        activity=lambda: Activity(lanes=LANES, running=chance.randint(3, LANES)),
    )
    with journal, purse, outbox:
        while not over.wait(chance.uniform(0.2, 1.0)):
            unit += chance.random() < 0.9  # else the same unit again
            job = f"job-{number}-{unit}-{clock.monotonic()}"
            if not purse.take("B-2026-118", job):
                continue
            purse.spend(job)
            fails = chance.random() < 0.12
            write(
                journal,
                unit,
                outcome=chance.choice((Outcome.WRITE_FAILED, Outcome.OLD_VERSION))
                if fails
                else Outcome.UPDATED,
                batch="B-2026-118",
                lane=chance.randint(1, LANES),
                station=STATIONS[number],
                label=f"SN{unit:09d}",
                stage=chance.choice(("write", "validate", "reboot")),
                code=chance.choice(("write", "write.turned-down", "reboot")) if fails else "",
            )
            outbox.nudge()
    client.close()


if __name__ == "__main__":
    sys.exit(main())
