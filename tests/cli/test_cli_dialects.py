"""atota dialects list, show and check."""

import tomllib
from pathlib import Path

import msgspec
import pytest

from atota.cli.view.review import checkout_traces
from atota.dialects import loader
from atota.dialects.model import Dialect
from atota.review.review import review
from atota.testing.bench import next_version
from atota.testing.rehearse import Rehearsal, personas_of, play
from tests.cli.running import Cli

GOOD = """name = "mine"
title = "my own BC28"
extends = "quectel-hi2115"
[recognise]
manufacturer = '(?i)quectel'
model = 'BC28'
version = 'V150'
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's own dialect, in a folder where it is found by name."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "boards" / "dialects" / "mine.toml"
    path.parent.mkdir(parents=True)
    path.write_text(GOOD, encoding="utf-8")
    return path


def test_list_names_built_in_dialects_and_ones_own(cli: Cli, mine: Path) -> None:
    ran = cli("dialects", "list")
    assert ran.code == 0
    for name in loader.names():
        assert name in ran.out
    found = {one["name"]: one for one in cli("dialects", "list", "--json").result["dialects"]}
    assert found["hi2115"]["where"] == "built-in"
    assert found["hi2115"]["hardware"] == "not seen"
    assert found["mine"] == {
        "name": "mine",
        "where": str(Path("boards/dialects/mine.toml")),
        "title": "my own BC28",
        "extends": "quectel-hi2115",
        "method": "nfwupd",
        "hardware": "not seen",
        "wrong": None,
    }


def test_list_names_a_broken_one_and_goes_on(cli: Cli, mine: Path) -> None:
    mine.write_text("name = ", encoding="utf-8")
    ran = cli("dialects", "list")
    assert ran.code == 0
    assert "wrong" in ran.out
    assert "mine.toml: " in ran.err
    assert "hi2115" in ran.out


def test_show_prints_toml_that_reads_back_as_the_profile(cli: Cli, mine: Path) -> None:
    ran = cli("dialects", "show", "mine")
    assert ran.code == 0
    assert msgspec.convert(tomllib.loads(ran.out), Dialect) == loader.load("mine")
    origins = [line.split("#")[-1].strip() for line in ran.out.splitlines() if line.startswith("flow = ")]
    assert origins == ["quectel-hi2115.toml"]
    assert "bc35: Quectel" not in ran.out
    assert "# quectel-hi2115.toml: Quectel BC35-G & BC28 & BC95-R2.0 AT commands manual V1.4" in ran.out


def test_show_json_has_the_profile_its_files_and_the_origin_of_each_value(cli: Cli, mine: Path) -> None:
    result = cli("dialects", "show", str(mine), "--json").result
    assert result["files"] == [str(mine), "quectel-hi2115.toml", "hi2115.toml", "hi21xx.toml", "3gpp.toml"]
    assert result["dialect"]["method"]["blocks"]["largest"] == 512
    origins = {one["path"]: one["origin"] for one in result["origins"]}
    assert origins["$.title"] == str(mine)
    assert origins["$.method.blocks.largest"] == "hi2115.toml"


def test_show_of_an_unknown_dialect_names_the_known_ones(cli: Cli) -> None:
    ran = cli("dialects", "show", "nothing")
    assert ran.code == 2
    assert "quectel-hi2115" in ran.err


def test_check_plays_ones_own_dialect_against_the_module_that_it_is_for(cli: Cli, mine: Path) -> None:
    ran = cli("dialects", "check", mine)
    assert ran.code == 0, ran.err
    assert "BC28: updated in " in ran.out
    assert "version BC28JAR01A03" in ran.out
    assert "stands in no trace: AT+CFUN=1" in ran.out
    assert "never seen on hardware" in ran.out


def test_check_json_says_what_backs_each_command(cli: Cli, mine: Path) -> None:
    (told,) = cli("dialects", "check", mine, "--json").result["dialects"]
    assert told["ok"] is True
    (against,) = told["against"]
    assert against["played"]["outcome"] == "updated"
    assert against["reading"]["fields"]["version"] == "BC28JAR01A03"
    assert "AT+CFUN=1" in {send["text"] for send in told["unseen"]}
    assert [send["text"] for send in told["weak"]] == ["AT+CMEE=1"]


def test_check_of_nothing_checks_every_built_in_profile_and_ones_own(cli: Cli, mine: Path) -> None:
    ran = cli("dialects", "check", "--json")
    assert ran.code == 0, ran.err
    assert {one["name"] for one in ran.result["dialects"]} == {*loader.names(), "mine"}


def test_check_tells_all_mistakes_with_file_and_place(cli: Cli, mine: Path) -> None:
    mine.write_text(GOOD + "[uart]\nbauds = [0]\nspeed = 1\n[weights]\nwirte = 1\n", encoding="utf-8")
    ran = cli("dialects", "check", mine)
    assert ran.code == 3
    for what in (
        "Object contains unknown field `speed` - at `$.uart`",
        "0 is too small: it must be above 0 - at `$.uart.bauds[0]`",
        "Unknown stage 'wirte'",
    ):
        assert f"{mine}: {what}" in ran.out
    result = cli("dialects", "check", mine, "hi2115", "--json").result
    assert (result["ok"], result["outcome"], result["exit_code"]) == (False, "bad-config", 3)
    assert [one["ok"] for one in result["dialects"]] == [False, True]
    assert len(result["dialects"][0]["mistakes"]) == 3


@pytest.mark.parametrize("text", ["name = ", "\xff", 'extends = "nowhere"', 'extends = "mine"'])
def test_check_of_a_file_that_cannot_be_read_ends_with_3_and_names_it(
    cli: Cli, mine: Path, text: str
) -> None:
    mine.write_text(text, encoding="latin-1")
    ran = cli("dialects", "check", mine, "--json")
    assert ran.code == 3
    (mistake,) = ran.result["dialects"][0]["mistakes"]
    assert mistake["file"].endswith("mine.toml")
    assert mistake["what"]


def test_check_plays_against_another_simulated_module_if_asked(cli: Cli, mine: Path) -> None:
    mine.write_text('name = "mine"\ntitle = "x"\nextends = "quectel-hi2115"\n', encoding="utf-8")
    (alone,) = cli("dialects", "check", mine, "--json").result["dialects"]
    assert alone["against"] == []
    assert alone["not_played"] == "no simulated module's responses show it"
    (against,) = cli("dialects", "check", mine, "--against", "BC28", "--json").result["dialects"]
    assert against["against"][0]["played"]["outcome"] == "updated"


def test_a_profile_that_cannot_update_its_module_is_wrong(cli: Cli, mine: Path) -> None:
    mine.write_text(GOOD + '[method]\nanswer = "+NFWUPD:"\nvalid = ["SOMETHING_ELSE"]\n', encoding="utf-8")
    assert cli("dialects", "check", mine).code == 0  # this module is asked for no verdict before the start
    mine.write_text(GOOD + '[method]\nflow = "validate-then-start"\nvalid = ["ELSE"]\n', encoding="utf-8")
    ran = cli("dialects", "check", mine)
    assert ran.code == 3
    assert "BC28: write-failed: the module does not accept the package" in ran.out


def test_a_query_that_cannot_read_its_modules_answer_is_wrong(tmp_path: Path, mine: Path) -> None:
    folder = tmp_path / "traces" / "bc28"
    folder.mkdir(parents=True)
    (folder / "identify.trace").write_text(
        "> AT+CGMI\n< \\r\\n\\x01\\x02\\r\\nOK\\r\\n\n> ATI\n< \\r\\nOK\\r\\n\n"
    )
    mine.write_text(GOOD, encoding="utf-8")
    told = review(str(mine), rehearsal=Rehearsal(), traces=folder.parent)
    assert told.mistakes == ()
    (folder / "identify.trace").write_text("> AT+CGSN=1\n< \\r\\n+CGSN: none\\r\\n\\r\\nOK\\r\\n\n")
    told = review(str(mine), rehearsal=Rehearsal(), traces=folder.parent)
    (mistake,) = told.mistakes
    assert (mistake.file, mistake.path) == ("3gpp.toml", "$.identify[4].pattern")
    assert "+CGSN: none" in mistake.what
    assert told.wrong


@pytest.mark.parametrize("name", loader.names())
def test_every_built_in_profile_updates_the_modules_it_is_for(name: str) -> None:
    told = review(name, rehearsal=Rehearsal(), traces=checkout_traces())
    assert not told.wrong, told
    dialect = loader.load(name)
    if told.not_played is None:
        assert [one.persona for one in told.against] == [persona.name for persona in personas_of(dialect)]
        assert all(one.reading is not None and "model" in one.reading.fields for one in told.against)


def test_the_verdict_of_a_rehearsal_is_the_modules_true_state() -> None:
    dialect = loader.load("quectel-hi2115")
    wrong = msgspec.structs.replace(
        dialect, identify=tuple(query for query in dialect.identify if query.send != "ATI")
    )
    played = play(wrong, "BC28")  # its version is then the chip's, which the update leaves alone
    assert not played.good
    assert played.outcome == "old-version"


@pytest.mark.parametrize(
    ("version", "following"),
    [("BC28JAR01A03", "BC28JAR01A04"), ("1529B04SIM7000C", "1529B04SIM7001C"), ("V1.9", "V1.10")],
)
def test_the_next_version_is_newer_and_of_the_same_pattern(version: str, following: str) -> None:
    assert next_version(version) == following


def test_a_query_that_never_fits_is_told_even_if_another_one_reads_the_field(
    tmp_path: Path, mine: Path
) -> None:
    folder = tmp_path / "traces" / "bc28"
    folder.mkdir(parents=True)
    (folder / "identify.trace").write_text(
        "> AT+CGMR\n< \\r\\nV1\\r\\n\\r\\nOK\\r\\n\n> AT+CGMM\n< \\r\\nBC28\\r\\nOK\\r\\n\n"
    )
    told = review(str(mine), rehearsal=Rehearsal(), traces=folder.parent)
    assert "$.identify[3].pattern" in told.unmatched  # HiSilicon's APPLICATION line; 27.007's query reads V1
    assert not told.wrong
