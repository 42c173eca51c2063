"""Every example in a docstring runs and gives the result it shows."""

import doctest
import importlib
from pathlib import Path

import pytest

from tests.meta.sources import import_name, modules, name_of


def with_examples() -> list[Path]:
    """Every file of the package whose text has an example."""
    return [path for path in modules() if ">>> " in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", with_examples(), ids=name_of)
def test_the_examples_of_a_docstring_run(path: Path) -> None:
    results = doctest.testmod(importlib.import_module(import_name(path)), report=False)
    assert results.attempted > 0
    assert results.failed == 0


def test_some_file_has_an_example() -> None:
    assert len(with_examples()) > 0
