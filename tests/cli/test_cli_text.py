"""Text for people: quiet, verbose, without a terminal, with odd characters in it."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Self

import pytest

from atota.cli.view.output import Ending, Output, plain, styled
from atota.errors import UsageError
from atota.values import Identity
from tests.cli.running import KEY, TARGET, Bench, Cli

ENV = {"ATOTA_ACCESS_KEY": KEY}
IMEI = "490154203237518"


def test_the_imei_is_masked_for_people_and_whole_for_programs(cli: Cli) -> None:
    people = cli("identify", "-p", "sim://BC28", "-v")
    assert not re.search(r"\d{15}", people.out + people.err)
    assert re.search(r"49\*{9}\d{4}", people.out)
    assert cli("identify", "-p", f"sim://BC28?imei={IMEI}", "--json").result["module"]["imei"] == IMEI


def test_a_result_goes_to_stdout_and_the_way_there_to_stderr(cli: Cli, bench: Bench) -> None:
    ran = cli("update", "-p", "sim://BC28", "--yes", *bench.asking, **ENV)
    assert ran.out.startswith(f"updated  BC28: BC28JAR01A03 → {TARGET}, ")
    assert ran.out.count("\n") == 1
    assert [line.split()[0] for line in ran.err.splitlines()][:3] == ["open", "identify", "check"]


def test_quiet_leaves_only_the_result(cli: Cli, bench: Bench) -> None:
    ran = cli("update", "-p", "sim://BC28", "--yes", *bench.asking, "-q", **ENV)
    assert ran.out.startswith("updated")
    assert ran.err == ""
    failed = cli("identify", "-p", "sim://BC28?fault=mute", "-q")
    assert failed.err.startswith("error: ")


def test_verbose_shows_what_the_module_says_by_itself(cli: Cli, bench: Bench) -> None:
    port = "sim://BC28?fault=urc-storm"
    assert "module: +C" in cli("update", "-p", port, "--yes", *bench.asking, "-v", **ENV).err
    assert "module: +C" not in cli("update", "-p", port, "--yes", *bench.asking, **ENV).err


def test_without_a_terminal_nothing_is_drawn(cli: Cli, bench: Bench) -> None:
    for more in ((), ("--no-progress",), ("--json",)):
        ran = cli("update", "-p", "sim://BC28", "--yes", *bench.asking, *more, "--detailed-exit-code", **ENV)
        assert "\x1b" not in ran.out + ran.err
        assert "\r" not in ran.out + ran.err
        assert "━" not in ran.out + ran.err


def test_with_json_people_read_on_stderr_unless_they_want_quiet(cli: Cli) -> None:
    assert "next:" in cli("identify", "-p", "/dev/no-such-port", "--json").err
    assert cli("ports", "--json", "-q").err == ""


@pytest.mark.parametrize(
    "text", ["[/]", "[bold]x[/bold]", "[/red]", ":smile:", "a[1].bin", "\\[x]", "[link=x]x[/link]"]
)
def test_brackets_and_colons_are_shown_as_they_are(cli: Cli, text: str) -> None:
    ran = cli("identify", "-p", f"/dev/{text}")
    assert ran.code == 4
    assert f"/dev/{text}" in ran.err
    assert text in styled("[bold]{}[/]", text).plain


def test_a_module_cannot_write_to_the_terminal(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    class Sly:
        findings = None

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def identify(self) -> Identity:
            return Identity(manufacturer="\x1b[31mred", model="[/nope]", version="\x07\x9b1m", baud=9600)

    monkeypatch.setattr("atota.cli.wiring.open_module", lambda *_, **__: Sly())
    ran = cli("identify", "-p", "/dev/x")
    assert ran.code == 0, ran.err
    assert "\x1b" not in ran.out
    assert "\\x1b[31mred" in ran.out
    assert "[/nope]" in ran.out
    assert "\\x07\\x9b1m" in ran.out


def test_plain_leaves_text_and_line_ends_alone() -> None:
    assert plain("größer → \n中") == "größer → \n中"
    assert plain("\x00\udc80\r") == "\\x00\\udc80\\r"


def test_a_run_has_one_result_line_however_many_ends_it_has(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    ending = Ending()
    first, second = (Output("x", json=True, ending=ending) for _ in range(2))
    first.result(ok=True, outcome="done", exit_code=0)
    second.failure(UsageError("late"))
    Output("y", json=True).result(ok=True, outcome="done", exit_code=0)
    lines = [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]
    assert [(line["command"], line["outcome"]) for line in lines if line["event"] == "result"] == [
        ("x", "done"),
        ("y", "done"),
    ]


def test_a_page_is_for_people_only(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    Output("x", json=True).result(lambda: pytest.fail("made"), ok=True, outcome="done", exit_code=0)
    assert b'"outcome":"done"' in capfdbinary.readouterr().out
    Output("x", json=False, verbosity=-1).result(lambda: "page", ok=True, outcome="done", exit_code=0)
    assert capfdbinary.readouterr().out == b"page\n"


def test_json_is_utf_8_whatever_the_terminal_speaks(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    Output("x", json=True).event("note", text="→ é 😀")
    assert '"text":"→ é 😀"'.encode() in capfdbinary.readouterr().out


def test_the_version_is_told(cli: Cli) -> None:
    ran = cli("--version")
    assert (ran.code, ran.out.split()[0]) == (0, "atota")


def test_no_command_shows_what_there_is(cli: Cli) -> None:
    ran = cli()
    for name in ("demo", "ports", "identify", "check", "download", "flash", "update", "modules", "sim"):
        assert name in ran.out + ran.err


def test_the_table_of_modules_fits_on_a_page(cli: Cli) -> None:
    ran = cli("modules", COLUMNS="120")
    assert all(len(line) <= 120 for line in ran.out.splitlines())
    assert "63 of 63 rows" in ran.err
    assert "…" not in ran.out


def test_a_path_with_brackets_is_told_whole(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "new[1].bin"
    ran = cli("sim", "package", path, "--model", "BC28", "--from", "A", "--to", "B")
    assert str(path) in ran.out


def test_a_warning_is_shown_however_quiet(cli: Cli, make_bench: Callable[..., Bench]) -> None:
    bench = make_bench("http-500@version")
    ran = cli("update", "-p", "sim://BC28", "--yes", *bench.asking, "-q", **ENV)
    assert ran.code == 14
    assert "warning: " in ran.err
