"""What holds for every test: no example of a property has a time limit, for machines differ."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.ptys import Pty

settings.register_profile("atota", deadline=None)
settings.load_profile("atota")


@pytest.fixture
def pty() -> "Iterator[Pty]":
    """A serial port whose other end the test has."""
    pytest.importorskip("termios")
    from tests.ptys import Pty

    made = Pty()
    yield made
    made.close()
