"""Help: every command has a worked example, and every example works."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from atota.cli.app import app
from atota.values import Digests
from tests.cli.running import KEY, PACKAGE, Bench, Cli
from tests.journal.making import filled

SERVING = {"demo", "replay", "sim module", "sim server"}
"""Commands that go on until Ctrl-C or take seconds: their examples run in tests/e2e."""


def commands() -> Iterator[tuple[str, str]]:
    """Every command and its example."""
    groups = [(one.typer_instance, f"{one.name} ") for one in app.registered_groups]
    for group, prefix in ((app, ""), *groups):
        assert isinstance(group, typer.Typer)
        for command in group.registered_commands:
            yield f"{prefix}{command.name}", (command.epilog or "").removeprefix("Example: ")


COMMANDS = dict(commands())


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_an_example_that_begins_as_the_command_does(cli: Cli, name: str) -> None:
    ran = cli(*name.split(), "--help")
    assert ran.code == 0
    assert "Example: " in ran.out
    assert f"atota {name}" in " ".join(ran.out.split())
    assert COMMANDS[name] in " ".join(ran.out.split())
    assert cli(*name.split(), "-h").out == ran.out


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - SERVING))
def test_every_example_works(
    cli: Cli,
    bench: Bench,
    package: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "package.bin").write_bytes(PACKAGE)
    filled(tmp_path / "journal.sqlite3")
    words = shlex.split(COMMANDS[name])
    env = {"ATOTA_SERVER": bench.server.url, "ATOTA_JOURNAL": str(tmp_path / "journal.sqlite3")}
    while "=" in words[0]:
        variable, _, value = words.pop(0).partition("=")
        env[variable] = KEY if value == "…" else value
    placeholders = {"/dev/ttyUSB0": "sim://BC28", "MD5": Digests.of(PACKAGE).md5, "123": "1000"}
    program, *arguments = (placeholders.get(word, word) for word in words)
    assert program == "atota"
    ran = cli(*arguments, "--json", **env)
    assert ran.code == 0, ran.err
    assert ran.result["command"] == name


def test_every_option_that_has_a_variable_is_told_so(cli: Cli) -> None:
    text = " ".join(re.sub(r"[│╭╮╰╯─]", " ", cli("update", "--help").out).split())
    for variable in ("PORT", "BAUD", "DIALECT", "MODEL", "BOARD", "SERVER", "DEV_ID", "PRODUCT_ID"):
        assert f"ATOTA_{variable}]" in text or f"ATOTA_{variable};" in text


def test_the_root_help_names_every_command(cli: Cli) -> None:
    text = cli("--help").out
    for name in COMMANDS:
        assert re.search(rf"^│ {name.split()[0]} ", text, re.MULTILINE), name
