"""Help: every command has a worked example, and every example works."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from atota.cli.app import app
from atota.settings.table import rows
from atota.values import Digests
from tests.cli.running import KEY, PACKAGE, Bench, Cli
from tests.journal.making import filled

SERVING = {"demo", "replay", "sim bench", "sim module", "sim server"}
"""Commands that go on until Ctrl-C or take seconds: their examples run in tests/e2e."""
OF_A_STATION = {"records batch", "station check", "station demo", "station learn", "station run"}
"""Commands that need a station file or a shift: test_cli_station.py runs them."""
DATABASE = "line "
"""Commands that begin so need a database: their examples run in tests/line."""


def commands() -> Iterator[tuple[str, str]]:
    """Every command and its example."""
    yield from commands_of(app, "")


def commands_of(group: typer.Typer, prefix: str) -> Iterator[tuple[str, str]]:
    """The commands of a group and of those in it."""
    for command in group.registered_commands:
        yield f"{prefix}{command.name}", (command.epilog or "").removeprefix("Example: ")
    for one in group.registered_groups:
        assert isinstance(one.typer_instance, typer.Typer)
        yield from commands_of(one.typer_instance, f"{prefix}{one.name} ")


COMMANDS = dict(commands())


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_an_example_that_begins_as_the_command_does(cli: Cli, name: str) -> None:
    ran = cli(*name.split(), "--help")
    assert ran.code == 0
    assert "Example: " in ran.out
    assert f"atota {name}" in " ".join(ran.out.split())
    assert COMMANDS[name] in " ".join(ran.out.split())
    assert cli(*name.split(), "-h").out == ran.out


@pytest.mark.parametrize(
    "name", sorted(one for one in set(COMMANDS) - SERVING - OF_A_STATION if not one.startswith(DATABASE))
)
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
    (tmp_path / "bench-3.toml").write_text(
        'name = "bench-3"\n[reset]\nsequence = ["rts:1", "rts:0"]\n[power]\non = ["dtr:1"]\n'
    )
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


def test_every_option_that_has_a_variable_says_so(cli: Cli) -> None:
    text = " ".join(re.sub(r"[│╭╮╰╯─]", " ", cli("update", "--help").out).split())
    variables = [row.variable for row in rows().values() if row.variable is not None and row.flags]
    assert len(variables) > 15
    for variable in variables:
        assert f"{variable}]" in text or f"{variable};" in text, variable


@pytest.mark.parametrize("name", ["", "sim", *COMMANDS])
def test_a_switch_is_shown_without_a_value(cli: Cli, name: str) -> None:
    text = cli(*name.split(), "--help").out
    assert "<bool>" not in text
    assert not re.search(r"--verbose.*<", text)
    assert re.search(r"--help +-h +Show this message", text)


def test_every_setting_with_a_flag_is_an_option_of_some_command(cli: Cli) -> None:
    text = " ".join(cli(name, "--help", COLUMNS="200").out for name in ("update", "flash", "identify"))
    assert [row.flag for row in rows().values() if row.flags and row.flag not in text] == []


def test_listing_the_commands_imports_none_of_them() -> None:
    code = (
        "import sys\n"
        "from atota.cli.run import main\n"
        "sys.argv = ['atota', *sys.argv[1:]]\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([name for name in sys.modules if name.startswith('atota.cli.commands')], file=sys.stderr)"
    )
    loaded = {
        words: subprocess.run(
            [sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=30, check=True
        ).stderr.strip()
        for words in (("--help",), ("records", "--help"), ("ports", "--json"))
    }
    assert loaded == {
        ("--help",): "[]",
        ("records", "--help"): "[]",
        ("ports", "--json"): "['atota.cli.commands', 'atota.cli.commands.look']",
    }


def test_the_root_help_names_every_command(cli: Cli) -> None:
    text = cli("--help").out
    for name in COMMANDS:
        assert re.search(rf"^│ {name.split()[0]} ", text, re.MULTILINE), name
