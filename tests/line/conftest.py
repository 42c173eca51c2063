"""One PostgreSQL for the tests of a process, an empty database with the line's tables for each test."""

import os
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from atota.clock import SystemClock
from atota.line.store import Store
from atota.line.tables import schema
from tests.line.postgres import Postgres, binaries
from tests.line.servers import Line, LineProcess

_NUMBERS = count(1)
RAM = Path("/dev/shm")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A running PostgreSQL."""
    if binaries() is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    # A kill of a process loses nothing that the kernel has; without fsync a slow disk stops no test.
    with Postgres(options=("-c fsync=off",)) as server:
        yield server


@pytest.fixture(scope="session")
def template(postgres: Postgres) -> str:
    """The name of a database with the line's tables, which others are copied from."""
    name = "line_template"
    postgres.sql(f"CREATE DATABASE {name}")
    with Store(postgres.url_of(name), clock=SystemClock()) as store:
        schema.migrate(store)
    return name


@pytest.fixture
def database(postgres: Postgres, template: str) -> Iterator[str]:
    """The name of an empty database with the line's tables."""
    name = f"line_{os.getpid()}_{next(_NUMBERS)}"
    postgres.sql(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield name
    postgres.sql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def store(postgres: Postgres, database: str) -> Iterator[Store]:
    """Its store."""
    with Store(postgres.url_of(database), clock=SystemClock()) as opened:
        yield opened


@pytest.fixture
def line(store: Store, tmp_path: Path) -> Iterator[Line]:
    """A line server on a port of its own, in this process."""
    with Line(store, tmp_path / "state") as running:
        yield running


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder for journals, in memory where there is such a thing."""
    with tempfile.TemporaryDirectory(dir=RAM if RAM.is_dir() else None) as name:
        yield Path(name)


@pytest.fixture
def server(postgres: Postgres, database: str, tmp_path: Path) -> Iterator[LineProcess]:
    """`atota line serve` on the empty database, started and killed by the test."""
    made = LineProcess(postgres.url_of(database), tmp_path)
    yield made
    made.kill()
