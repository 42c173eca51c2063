"""The command line, for tests of how settings reach it."""

from tests.cli.conftest import cli, package

__all__ = ["cli", "package"]
