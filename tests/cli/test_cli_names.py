"""A mistyped name: the near ones and the allowed ones, everywhere; and the error as JSON has it."""

from pathlib import Path

import pytest

from atota.otaserver.faults import KNOWN
from atota.sim.chips.faults import CHIP_FAULTS
from atota.sim.chips.options import CHIP_OPTIONS
from atota.sim.faults import KNOWN_FAULTS, POSITIONS, FaultKind
from atota.sim.options import KNOWN_OPTIONS, OptionKind
from atota.sim.personas.catalogue import PERSONAS
from tests.cli.running import KEY, Cli


@pytest.mark.parametrize(
    ("words", "meant", "allowed"),
    [
        (("modules", "--method", "nfupd"), "nfwupd", "flash-write"),
        (("modules", "--method", "NFWUPD"), "nfwupd", "xmodem"),
        (("records", "list", "--outcome", "upated"), "updated", "write-failed"),
        (("records", "export", "--outcome", "write_failed"), "write-failed", "no-task"),
        (("identify", "-p", "sim://BC82"), "BC28", "SARA-N200"),
        (("sim", "module", "M5310"), "M5310-A", "ME3616"),
        (("sim", "module", "BC28", "--fault", "rolback"), "rollback", "mute-after"),
        (("identify", "-p", "sim://BC28?fault=brownout-at-blok:3"), "brownout-at-block", "mute"),
        (("identify", "-p", "sim://BC28?versoin=1"), "version", "imei"),
        (("identify", "-p", "sim://BC28", "--dialect", "hi2151"), "hi2115", "3gpp"),
        (("check", "--api", "fus"), "fuse", "generic"),
        (("check", "--type", "fots"), "fota", "sota"),
        (("check", "--key-level", "devise"), "device", "product"),
        (("check", "--auth-method", "sha265"), "sha256", "md5"),
    ],
)
def test_a_mistyped_name_gets_the_near_ones_and_all_that_are_allowed(
    cli: Cli, words: tuple[str, ...], meant: str, allowed: str
) -> None:
    ran = cli(*words, "--json", ATOTA_ACCESS_KEY=KEY)
    assert (ran.code, ran.result["outcome"]) == (2, "usage")
    error = ran.result["error"]
    told = f"{error['message']} {error['hint']}"
    assert f"id you mean {meant}" in told
    assert allowed in told


def test_a_mistyped_fault_of_the_platform_gets_the_near_ones(cli: Cli, tmp_path: Path) -> None:
    ran = cli("sim", "server", tmp_path / "p", "--init", "--fault", "http-50", "--json")
    assert (ran.code, ran.result["outcome"]) == (2, "usage")
    assert "Did you mean http-500" in ran.result["error"]["hint"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("identify", "--bogus"), "No such option: --bogus"),
        (("nonsense",), "No such command 'nonsense'"),
        (("sim", "modul"), "No such command 'modul'"),
        (("at",), "Missing argument 'COMMAND'"),
        (("records", "list", "--limit", "0"), "greater than or equal to 1"),
        (("demo", "--speed", "fast"), "Invalid value for '--speed'"),
    ],
)
def test_a_call_that_cannot_be_parsed_says_why_in_its_result(
    cli: Cli, words: tuple[str, ...], told: str
) -> None:
    ran = cli(*words, "--json")
    assert (ran.code, ran.result["outcome"]) == (2, "usage")
    assert told in ran.result["error"]["message"]
    assert told in " ".join(ran.err.split())


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("[serail]\nbaud = 9600", "Did you mean serial?"),
        ("[limits]\ntimout_s = 1", "Did you mean timeout_s"),
        ('[serial]\nflow = "rts_cts"', "Did you mean rts-cts? Allowed: none, rts-cts, xon-xoff."),
        ('[ota]\ntype = "fot"', "Allowed: fota, sota."),
        ("timeout_s = 3", "Did you mean `limits.timeout_s`?"),
    ],
)
def test_an_unknown_key_or_word_in_a_file_gets_the_near_ones(
    cli: Cli, tmp_path: Path, text: str, hint: str
) -> None:
    board = tmp_path / "b.toml"
    board.write_text(f'name = "b"\n{text}\n')
    ran = cli("identify", "-p", "sim://BC28", "--board", board, "--json")
    assert (ran.code, ran.result["outcome"]) == (3, "bad-config")
    assert hint in ran.result["error"]["hint"]
    assert hint in ran.err


def test_an_unknown_key_in_a_dialect_gets_the_near_ones(cli: Cli, tmp_path: Path) -> None:
    profile = tmp_path / "my.toml"
    profile.write_text('name = "my"\ntitle = "My"\nextends = "hi2115"\n[uart]\nbaud = [9600]\n')
    ran = cli("identify", "-p", "sim://BC28", "--dialect", profile, "--json")
    assert ran.code == 3
    assert "Did you mean bauds?" in ran.result["error"]["hint"]
    checked = cli("dialects", "check", profile)
    assert checked.code == 3
    assert "Did you mean bauds?" in checked.out


def test_help_lists_every_simulated_module(cli: Cli) -> None:
    shown = "".join(cli("sim", "module", "--help").out.replace("│", "").split())
    missing = [persona.name for persona in PERSONAS if persona.name not in shown]
    assert missing == []


def test_every_fault_and_option_of_the_simulator_is_explained(cli: Cli) -> None:
    ran = cli("sim", "faults")
    lines = {
        tuple(word.strip() for word in line.split(None, 1))
        for line in ran.out.splitlines()
        if line.startswith("  ")
    }
    faults = (*KNOWN_FAULTS.values(), *POSITIONS, *CHIP_FAULTS.kinds.values())
    explained: list[FaultKind | OptionKind] = [*faults, *KNOWN_OPTIONS.values(), *CHIP_OPTIONS.values()]
    assert [one.usage for one in explained if (one.usage, one.help) not in lines] == []
    for platform_kind in KNOWN.values():
        assert platform_kind.help in ran.out
    result = cli("sim", "faults", "--json").result
    assert {row["name"] for row in result["faults"]} == set(KNOWN_FAULTS)
    assert {row["name"] for row in result["options"]} == set(KNOWN_OPTIONS)
    assert {row["name"] for row in result["platform_faults"]} == set(KNOWN)


def test_arguments_are_shown_without_a_type_of_python(cli: Cli) -> None:
    for words in (("at",), ("modules",), ("flash",), ("sim", "module"), ("dialects", "check")):
        shown = cli(*words, "--help").out
        assert "<list[" not in shown
        assert "<str>" not in shown
