"""A chip on a pty, and the command line of `tests.cli`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import cli as cli
from tests.cli.conftest import make_bench as make_bench
from tests.sota.benches import PtyChip, pty_chip
from tests.sota.scripted import Desk


@pytest.fixture
def chip(tmp_path: Path) -> Iterator[PtyChip]:
    """A chip whose application runs V1.0."""
    with pty_chip(tmp_path) as made:
        yield made


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Desk:
    """A desk for scripted chips."""
    return Desk(monkeypatch, tmp_path)
