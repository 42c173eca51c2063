"""What scripts lean on: JSON Lines, outcomes and exit codes of every command, in every ending."""

import base64
import datetime as dt
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atota.update.events import STAGES
from atota.values import Digests
from tests.cli.running import KEY, PACKAGE, TARGET, Bench, Cli, Ran

IMEI = "490154203237518"
ENV = {"ATOTA_ACCESS_KEY": KEY}
MD5 = Digests.of(PACKAGE).md5
FLASH = ("--md5", MD5, "--target", TARGET)


def judge(ran: Ran) -> dict[str, Any]:
    """Check all that holds for every run with --json; return its result."""
    lines = ran.lines
    assert lines[0]["event"] == "begin"
    assert [line["event"] for line in lines].count("begin") == 1
    assert [line["event"] for line in lines].count("result") == 1
    for line in lines:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
        assert dt.datetime.fromisoformat(line["time"]).tzinfo == dt.UTC
    result = ran.result
    assert lines[0]["schema"] == result["schema"] == 1
    assert lines[0]["command"] == result["command"]
    assert result["exit_code"] == ran.code
    assert result["ok"] is (ran.code in (0, 10))
    if result["ok"]:
        assert "error" not in result
    elif ran.code != 14:
        assert result["error"]["message"]
        assert result["error"]["hint"]
        assert result["error"]["code"]
        assert result["error"]["message"] in ran.err.replace("\n", " ") or ran.code == 2
    assert "\x1b" not in ran.out + ran.err
    no_secrets(ran)
    return result


def no_secrets(ran: Ran) -> None:
    for text in (ran.out, ran.err):
        assert KEY not in text
        assert base64.b64decode(KEY).decode() not in text
        assert not re.search(r"ota_[A-Za-z0-9]{20}", text), "a download token"
        assert not re.search(r"sign=(?!\*+)[A-Za-z0-9%+/]{8}", text), "a signature"


LOOKS: list[tuple[tuple[str, ...], int, str]] = [
    (("ports",), 0, "done"),
    (("modules",), 0, "done"),
    (("modules", "no such text"), 0, "done"),
    (("modules", "--nope"), 2, "usage"),
    (("identify", "-p", "sim://BC28"), 0, "done"),
    (("identify",), 2, "usage"),
    (("identify", "-p", "sim://NOPE"), 2, "usage"),
    (("identify", "-p", "sim://BC28", "-b", "abc"), 2, "usage"),
    (("identify", "-p", "sim://BC28", "-b", "0"), 2, "usage"),
    (("identify", "-p", "sim://BC28", "--dialect", "nope"), 2, "usage"),
    (("identify", "-p", "sim://BC28", "--timeout", "0"), 2, "usage"),
    (("identify", "-p", "sim://BC28", "--timeout", "0.01"), 124, "timeout"),
    (("identify", "-p", "sim://BC28", "--model", "M5310-A"), 6, "refused"),
    (("identify", "-p", "/dev/no-such-port"), 4, "port"),
    (("identify", "-p", "socket://127.0.0.1:1"), 4, "port"),
    (("identify", "-p", "sim://BC28?fault=mute"), 5, "no-answer"),
    (("identify", "-p", "sim://BC28", "--board", "no-such.toml"), 3, "bad-config"),
    (("identify", "-p", "sim://BC28", "--transcript", "/no/such/folder/t"), 3, "bad-config"),
    (("sim", "module", "NOPE"), 2, "usage"),
    (("sim", "module", "BC28", "--fault", "nope"), 2, "usage"),
    (("sim", "module", "BC28", "--options", "nope=1"), 2, "usage"),
    (("sim", "module", "BC28", "--tcp", "no-port"), 2, "usage"),
    (("sim", "module"), 2, "usage"),
    (("sim", "server", "/no/such/folder", "--port", "0"), 3, "bad-config"),
    (("sim", "package", "/no/such/f", "--model", "BC28", "--from", "A", "--to", "B"), 3, "bad-config"),
    (("no-such-command",), 2, "usage"),
]


@pytest.mark.parametrize(("words", "code", "outcome"), LOOKS, ids=lambda value: str(value))
def test_every_ending_is_one_result_line(cli: Cli, words: tuple[str, ...], code: int, outcome: str) -> None:
    ran = cli(*words, "--json")
    result = judge(ran)
    assert (ran.code, result["outcome"]) == (code, outcome)
    assert result["command"] == " ".join(words[: 2 if words[0] == "sim" else 1])


@pytest.mark.parametrize(("words", "code", "outcome"), LOOKS, ids=lambda value: str(value))
def test_people_get_the_same_exit_code_and_no_json(
    cli: Cli, words: tuple[str, ...], code: int, outcome: str
) -> None:
    ran = cli(*words)
    assert ran.code == code
    assert '"event"' not in ran.out
    assert "\x1b" not in ran.out + ran.err
    assert "Traceback" not in ran.err
    if code and "Usage:" not in ran.err:
        assert f"({outcome}, exit {code})" in ran.err
        assert "next:" in ran.err


JOBS: list[tuple[str, tuple[str, ...], int, str]] = [
    ("", (), 0, "updated"),
    ("version=BC28JAR01A05", (), 0, "already-current"),
    ("version=BC28JAR01A05", ("--detailed-exit-code",), 10, "already-current"),
    ("", ("--detailed-exit-code",), 0, "updated"),
    ("fault=unplug-at:5", (), 4, "port"),
    ("fault=mute", (), 5, "no-answer"),
    ("version=BC28JAR01A06", (), 6, "refused"),
    ("fault=refuse-start", (), 9, "write-failed"),
    ("fault=stay-dead-after-update", (), 11, "unknown-after-reboot"),
    ("fault=rollback", (), 12, "old-version"),
    ("", ("--timeout", "3"), 124, "timeout"),
]


@pytest.mark.parametrize(("sim", "more", "code", "outcome"), JOBS, ids=lambda value: str(value))
def test_a_flash_ends_with_the_outcome_of_what_happened(
    cli: Cli, package: Path, sim: str, more: tuple[str, ...], code: int, outcome: str
) -> None:
    ran = cli("flash", package, *FLASH, "-p", f"sim://BC28?{sim}", *more, "--json")
    result = judge(ran)
    assert (ran.code, result["outcome"]) == (code, outcome)
    if outcome in ("updated", "already-current"):
        assert result["version_after"] == TARGET
    else:
        assert result["version_after"] is None


@pytest.mark.parametrize(("sim", "more", "code", "outcome"), JOBS, ids=lambda value: str(value))
def test_people_read_the_outcome_of_a_flash(
    cli: Cli, package: Path, sim: str, more: tuple[str, ...], code: int, outcome: str
) -> None:
    ran = cli("flash", package, *FLASH, "-p", f"sim://BC28?{sim}", "--yes", *more)
    assert ran.code == code
    assert outcome in (ran.out if code in (0, 10) else ran.err)
    assert IMEI not in ran.out + ran.err


def test_a_package_that_is_missing_or_wrong_is_a_bad_package(cli: Cli, package: Path, tmp_path: Path) -> None:
    port = ("-p", "sim://BC28")
    for file, md5 in ((package, "0" * 32), (tmp_path / "missing.bin", MD5)):
        ran = cli("flash", file, "--md5", md5, "--target", TARGET, *port, "--json")
        assert (ran.code, judge(ran)["outcome"]) == (7, "bad-package")
    assert cli("flash", package, "--md5", "zz", "--target", TARGET, *port).code == 2


SERVER_FAULTS: list[tuple[str, int, str]] = [
    ("", 0, "updated"),
    ("http-500", 8, "server"),
    ("http-401", 8, "server"),
    ("http-404", 8, "server"),
    ("html", 8, "server"),
    ("errno:22", 8, "server"),
    ("unknown-errno", 8, "server"),
    ("no-data", 8, "server"),
    ("quoted-numbers", 0, "updated"),
    ("wrong-md5", 7, "bad-package"),
    ("cut-after:50%", 0, "updated"),
    ("cancelled-after:50%", 8, "server"),
    ("http-500@version", 14, "updated-unreported"),
]


@pytest.mark.parametrize(("fault", "code", "outcome"), SERVER_FAULTS, ids=lambda value: str(value))
def test_an_update_ends_with_the_outcome_of_what_the_platform_did(
    cli: Cli, make_bench: Callable[..., Bench], fault: str, code: int, outcome: str
) -> None:
    bench = make_bench(fault)
    ran = cli("update", "-p", "sim://BC28", *bench.asking, "--json", **ENV)
    result = judge(ran)
    assert (ran.code, result["outcome"]) == (code, outcome)
    assert result["version_after"] == (TARGET if code in (0, 14) else None)


def test_an_update_that_is_done_says_all_that_the_contract_lists(cli: Cli, bench: Bench) -> None:
    ran = cli("update", "-p", f"sim://BC28?imei={IMEI}", *bench.asking, "--json", **ENV)
    result = judge(ran)
    assert bench.state == "DONE"
    assert result["module"]["imei"] == IMEI
    assert result["package"] == {
        "size": len(PACKAGE),
        "md5": MD5,
        "sha256": Digests.of(PACKAGE).sha256,
    }
    assert (result["version_before"], result["version_after"]) == ("BC28JAR01A03", TARGET)
    assert {"task", "stages_ms", "blocks", "retries", "record_id", "warnings"} <= set(result)
    assert result["told"] == ["101: package downloaded", "201: upgraded", f"version {TARGET}"]
    stages = [line["stage"] for line in ran.lines if line["event"] == "stage"]
    assert tuple(dict.fromkeys(stages)) == STAGES
    written = [line for line in ran.lines if line["event"] == "progress" and line["stage"] == "write"]
    assert (written[-1]["done"], written[-1]["total"], written[-1]["unit"]) == (4096, 4096, "bytes")


def test_no_task_is_nothing_to_do(cli: Cli, bench: Bench) -> None:
    asking = [word if word != "6523" else "7" for word in bench.asking]
    for more, code in ((), 0), (("--detailed-exit-code",), 10):
        ran = cli("update", "-p", "sim://BC28", *asking, *more, "--json", **ENV)
        assert (ran.code, judge(ran)["outcome"]) == (code, "no-task")


def test_a_bug_of_ours_is_exit_1_with_a_result_and_no_traceback(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise RuntimeError("the sky is falling")

    monkeypatch.setattr("atota.link.ports.list_ports", broken)
    ran = cli("ports", "--json")
    assert (ran.code, judge(ran)["outcome"]) == (1, "error")
    assert "Traceback" not in ran.err
    assert "test_cli_contract.py:" in ran.err
    assert "Traceback" in cli("ports", "-v").err


def test_a_check_that_finds_a_task_is_done(cli: Cli, bench: Bench) -> None:
    ran = cli("check", "-p", "sim://BC28", *bench.asking, "--json", **ENV)
    result = judge(ran)
    assert result["outcome"] == "task"
    assert result["task"]["target"] == TARGET
    assert "token" not in result["task"]
    people = cli("check", "-p", "sim://BC28", *bench.asking, **ENV)
    assert f"BC28JAR01A03 → {TARGET}" in people.out
    no_secrets(people)


def test_a_dry_run_sends_nothing_and_shows_the_request_without_its_secrets(cli: Cli, bench: Bench) -> None:
    words = ("check", "--dry-run", "-p", "sim://BC28", *bench.asking)
    ran = cli(*words, "--json", **ENV)
    request = judge(ran)["request"]
    assert request["method"] == "GET"
    assert f"{bench.server.url}/ota/south/check?" in request["url"]
    assert "version=BC28JAR01A03" in request["url"]
    assert "sign=***" in request["headers"]["Authorization"]
    people = cli(*words, **ENV)
    assert request["url"] in people.out.replace("\n", "")
    no_secrets(people)
    assert bench.server.lines == []


def test_a_dry_run_needs_no_module(cli: Cli, bench: Bench) -> None:
    ran = cli("check", "--dry-run", "--model", "BC28", "--fw-version", "V1", *bench.asking, "--json", **ENV)
    assert "manuf=014&model=01401&type=1&version=V1&" in judge(ran)["request"]["url"]


def test_a_download_is_verified_and_copied(cli: Cli, bench: Bench, tmp_path: Path) -> None:
    target = tmp_path / "out [1].bin"
    ran = cli("download", "-p", "sim://BC28", *bench.asking, "-o", target, "--json", **ENV)
    assert judge(ran)["package"] == {
        "path": str(target),
        "size": len(PACKAGE),
        "md5": MD5,
        "sha256": Digests.of(PACKAGE).sha256,
    }
    assert target.read_bytes() == PACKAGE
    people = cli("download", "-p", "sim://BC28", *bench.asking, "-o", target, **ENV)
    assert people.out.startswith(str(target))


def test_what_modules_tells_is_the_whole_table(cli: Cli) -> None:
    rows = judge(cli("modules", "--json"))["modules"]
    assert len(rows) == 63
    assert {
        "task_type",
        "vendor",
        "model",
        "manuf_code",
        "model_code",
        "chip",
        "dialect",
        "method",
        "evidence",
        "source",
    } == set(rows[0])
    assert len(judge(cli("modules", "--method", "nfwupd", "--json"))["modules"]) < 63
    assert [row["model"] for row in judge(cli("modules", "bc28", "--json"))["modules"]].count("BC28") == 1


def test_a_package_for_simulated_modules_is_written(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "new.bin"
    words = ("sim", "package", path, "--model", "BC28", "--from", "BC28JAR01A03", "--to", TARGET)
    told = judge(cli(*words, "--json"))["package"]
    assert told["md5"] == Digests.of(path.read_bytes()).md5
    assert told["md5"] in cli(*words).out
