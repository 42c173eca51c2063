"""A bench of real processes for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.processes import Bench, bench_in


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A platform, a module and an update, each in a process of its own once it is started."""
    with bench_in(tmp_path) as made:
        yield made
