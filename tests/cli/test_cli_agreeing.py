"""A job's beginning: what is checked before the port, the proposal, the user's word, and the dry run."""

import shlex
from pathlib import Path
from typing import Any

import pytest

from atota.clock import SystemClock
from atota.journal.facts import StateFact
from atota.journal.model import Opened
from atota.journal.store import Journal
from atota.sim.package import build_package
from atota.update.state import JobState
from atota.values import Digests
from tests.cli.running import BASE, KEY, PACKAGE, TARGET, Bench, Cli
from tests.ptys import Pty

MD5 = Digests.of(PACKAGE).md5
SIM = "sim://BC28?speed=max"


def flash(package: Path, *more: str, target: str = TARGET, md5: str = MD5) -> tuple[str, ...]:
    return ("flash", str(package), "--md5", md5, "--target", target, *more)


# -- the user's word ----------------------------------------------------------------------------------


@pytest.mark.parametrize("port", ["pty", "socket://127.0.0.1:9", SIM])
def test_without_a_terminal_an_update_needs_the_users_word(cli: Cli, package: Path, port: str) -> None:
    pty = Pty()
    port = pty.device if port == "pty" else port
    ran = cli(*flash(package, "-p", port))
    pty.close()
    assert ran.code == 2
    assert f"{port}: an update must be confirmed" in ran.err
    assert "Give --yes to confirm it beforehand, or --dry-run" in ran.err


def test_the_word_is_an_option_or_a_program_that_reads_json(cli: Cli, package: Path) -> None:
    assert cli(*flash(package, "-p", SIM, "--yes")).code == 0
    assert cli(*flash(package, "-p", SIM, "--json")).code == 0


def test_what_cannot_begin_at_all_says_its_own_reason(cli: Cli, package: Path) -> None:
    assert cli(*flash(package, "-p", "/dev/no-such-port")).code == 4


# -- before the port is opened -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"package": "missing.bin"}, 7, "missing.bin cannot be read: it does not exist"),
        ({"package": "empty.bin"}, 7, "empty.bin is empty"),
        ({"md5": "0" * 32}, 7, "has the wrong MD5: expected 000"),
        ({"more": ("--sha256", "0" * 64)}, 7, "has the wrong SHA-256"),
        ({"more": ("--serve-url", "ftp://10.0.0.5:1")}, 2, "'ftp://10.0.0.5:1' is not an http://HOST:PORT"),
        ({"more": ("--serve-url", "http://10.0.0.5")}, 2, "'http://10.0.0.5' is not an http://HOST:PORT"),
        ({"more": ("--dialect", "hi2116")}, 2, "unknown dialect 'hi2116'"),
        ({"more": ("--dialect", "bad.toml")}, 3, "bad.toml: "),
        ({"more": ("--board", "board.toml")}, 3, "board.toml: unknown dialect 'hi2116' - at `$.dialect`"),
        (
            {"more": ("--board", "flow.toml")},
            3,
            'flow.toml: flow = "xon-xoff" is not supported - at `$.serial',
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_what_needs_no_port_is_checked_before_it_is_opened(
    cli: Cli,
    package: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    change: dict[str, Any],
    code: int,
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty.bin").write_bytes(b"")
    Path("bad.toml").write_text('name = "bad"\n')
    Path("board.toml").write_text('name = "b"\ndialect = "hi2116"\n')
    Path("flow.toml").write_text('name = "b"\n[serial]\nflow = "xon-xoff"\n')
    monkeypatch.setattr("atota.module.module.open_link", lambda *_, **__: pytest.fail("the port was opened"))
    file = Path(change.get("package", package))
    ran = cli(*flash(file, "-p", SIM, "-y", *change.get("more", ()), md5=change.get("md5", MD5)))
    assert ran.code == code, ran.err
    assert words in ran.err


def test_a_dialect_in_the_users_configuration_is_wrong_with_its_file_and_place(
    cli: Cli, tmp_path: Path
) -> None:
    file = tmp_path / "config.toml"
    for key, value in (("dialect", "hi2116"), ("model", "BC82")):
        file.write_text(f'{key} = "{value}"\n')
        ran = cli("identify", "-p", SIM, ATOTA_CONFIG=str(file))
        assert ran.code == 3
        assert f"{file}: " in ran.err
        assert f"at `$.{key}`" in ran.err


# -- targets that can never be read back ---------------------------------------------------------------


@pytest.mark.parametrize("target", ["BC28 JAR 01", "version 5", "BC28JAR01A05 (beta)"])
def test_a_target_that_the_dialect_can_never_read_is_refused_before_anything(
    cli: Cli, package: Path, target: str
) -> None:
    ran = cli(*flash(package, "-p", SIM, target=target), "--json")
    assert (ran.code, ran.result["outcome"]) == (6, "refused")
    assert f"{target} cannot be confirmed: the dialect quectel-hi2115" in ran.result["error"]["message"]
    assert BASE in ran.result["error"]["message"]
    assert not any(line.get("stage") == "prepare" and line["state"] == "started" for line in ran.lines)


# -- the dry run --------------------------------------------------------------------------------------


def test_a_dry_run_tells_all_and_writes_nothing(cli: Cli, tmp_path: Path) -> None:
    package = tmp_path / f"{BASE}_TO_{TARGET}.bin"
    package.write_bytes(PACKAGE)
    transcript = tmp_path / "t"
    ran = cli(*flash(package, "-p", SIM, "--dry-run", "--transcript", str(transcript)))
    assert ran.code == 0, ran.err
    for words in (
        "dry run",
        "BC28, IMEI 49*********",
        f"{BASE} → {TARGET}",
        f"{package.name}, {len(PACKAGE):,} bytes",
        "nfwupd (documented), blocks of",
        f"{BASE}: the module runs it",
        "about ",
    ):
        assert words in ran.out
    talk = transcript.read_text()
    assert "NFWUPD=?" in talk
    assert "NFWUPD=0" not in talk
    assert "NFWUPD=1" not in talk
    assert not (tmp_path / "data" / "atota" / "journal-simulated.sqlite3").exists()


def test_a_dry_run_says_what_the_journal_knows_and_leaves_it_alone(
    cli: Cli, package: Path, tmp_path: Path
) -> None:
    path = tmp_path / "j.sqlite3"
    with Journal(path, clock=SystemClock()) as journal:
        entry = journal.open_job(Opened(run="a" * 12, attempt=1, command="flash", port=SIM))
        for state in (JobState.CHANGED, JobState.WRITING):
            entry.fact(StateFact(state))
    ran = cli(*flash(package, "-p", SIM, "--dry-run", "--journal", str(path)))
    assert ran.code == 0, ran.err
    assert f"job {'a' * 12}-1 was cut off" in ran.err
    assert cli("records", "list", "--journal", path, "--json").result["records"] == []


def test_a_dry_run_says_if_base_and_slot_fit(cli: Cli, tmp_path: Path) -> None:
    package = tmp_path / "p.bin"
    package.write_bytes(PACKAGE)
    fine = cli(*flash(package, "-p", SIM, "--dry-run", "--json")).result
    proposal = fine["proposal"]
    assert (fine["outcome"], proposal["fits_base"], proposal["fits_slot"]) == ("done", None, None)
    assert proposal["expected_ms"] > 20_000
    assert fine["record_id"] == ""
    other = tmp_path / f"BC28JAR01A02_TO_{TARGET}.bin"
    other.write_bytes(PACKAGE)
    assert cli(*flash(other, "-p", SIM, "--dry-run")).code == 6
    large = tmp_path / "large.bin"
    large.write_bytes(bytes(600_000))
    words = flash(large, "-p", "sim://SIM7020C?speed=max", "--dry-run", target="1752B07SIM7020C")
    ran = cli(*words[:3], Digests.of(bytes(600_000)).md5, *words[4:], "--json")
    assert (ran.code, ran.result["outcome"]) == (7, "bad-package")
    assert "the module's FOTA slot holds 593920" in ran.err


def test_a_dry_run_of_an_update_asks_for_the_task_and_reports_nothing(cli: Cli, bench: Bench) -> None:
    ran = cli("update", "-p", SIM, *bench.asking, "--dry-run", "--json", ATOTA_ACCESS_KEY=KEY)
    assert ran.code == 0, ran.err
    assert ran.result["proposal"]["size"] == len(PACKAGE)
    assert ran.result["task"]["target"] == TARGET
    assert bench.state == "PENDING"
    stages = [line["stage"] for line in ran.lines if line["event"] == "stage" and line["state"] == "started"]
    assert stages == ["open", "identify", "check", "plan"]


def test_a_dry_run_without_a_key_asks_no_platform(cli: Cli) -> None:
    ran = cli("update", "-p", SIM, "--dry-run")
    assert ran.code == 0, ran.err
    assert "the platform is not asked: there is no access key" in ran.err
    assert "nfwupd (documented)" in ran.out
    assert "the platform was not asked" in ran.out


# -- options that cannot be done -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "base", "target", "more", "words"),
    [
        ("BC28", BASE, TARGET, "--verify read-back", "no command is known that reads a package back"),
        (
            "ME3616",
            "ME3616G1AV1.0B07",
            "ME3616G1AV1.0B08",
            "--block 512",
            "blocks of 512 bytes are not taken",
        ),
        ("BC28", BASE, TARGET, "--block 100000", "blocks of 100000 bytes are not taken"),
    ],
)
def test_an_option_that_the_method_does_not_have_is_refused_and_not_ignored(
    cli: Cli, tmp_path: Path, model: str, base: str, target: str, more: str, words: str
) -> None:
    package = tmp_path / "p.bin"
    package.write_bytes(build_package(model=model, base=base, target=target, size=2048))
    md5 = Digests.of(package.read_bytes()).md5
    words_ = flash(
        package, "-y", "-p", f"sim://{model}?speed=max", *shlex.split(more), target=target, md5=md5
    )
    ran = cli(*words_, "--allow-unproven")
    assert ran.code == 6, ran.err
    assert words in ran.err


def test_stages_keep_their_order(cli: Cli, package: Path) -> None:
    from atota.values import STAGES

    lines = cli(*flash(package, "-p", SIM, "--json")).lines
    seen = list(dict.fromkeys(line["stage"] for line in lines if line["event"] == "stage"))
    assert seen == list(STAGES)
