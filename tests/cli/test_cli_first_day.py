"""A first day at the bench: simulated jobs apart from real ones, proxies, targets, tables, records."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from atota.clock import SystemClock
from atota.journal.store import Journal
from atota.update.events import Progress, StageEvent
from atota.values import Digests
from tests.cli.running import KEY, PACKAGE, TARGET, Bench, Cli

MD5 = Digests.of(PACKAGE).md5
DEAD = "http://127.0.0.1:9"


def flash(package: Path, *more: str, target: str = TARGET) -> tuple[str, ...]:
    words = ("flash", str(package), "--md5", MD5, "--target", target, "-y", "-p", "sim://BC28?speed=max")
    return (*words, *more)


def test_simulated_jobs_have_a_journal_of_their_own(cli: Cli, package: Path, tmp_path: Path) -> None:
    assert cli(*flash(package)).code == 0
    assert cli("records", "list", "--json").result["records"] == []
    own = tmp_path / "data" / "atota" / "journal-simulated.sqlite3"
    (record,) = cli("records", "list", "--journal", own, "--json").result["records"]
    assert record["nature"] == "simulated"
    assert "BC28 (simulated)" in cli("records", "list", "--journal", own).out


def test_a_journal_that_is_named_takes_simulated_jobs_too(cli: Cli, package: Path, tmp_path: Path) -> None:
    named = tmp_path / "named.sqlite3"
    assert cli(*flash(package), "--journal", named).code == 0
    assert len(cli("records", "list", "--journal", named, "--json").result["records"]) == 1


def test_a_new_simulated_module_does_not_take_over_the_run_of_another(cli: Cli, package: Path) -> None:
    cut = (*flash(package)[:-1], "sim://BC28?speed=max&fault=unplug-at:5", "--json")
    first = cli(*cut)
    assert first.code != 0
    second = cli(*flash(package, "--json"))
    assert (second.code, second.result["outcome"], second.result["resumes"]) == (0, "updated", None)
    assert first.result["module"]["imei"] != second.result["module"]["imei"]


def test_a_printed_command_works_as_printed(cli: Cli, package: Path) -> None:
    ran = cli(*flash(package)[:-1], "sim://BC28?speed=max&fault=rollback")
    assert ran.code == 12
    (line,) = [line for line in ran.err.splitlines() if "atota records show" in line]
    shown = cli(*line.partition("atota ")[2].split())
    assert shown.code == 0, shown.err
    assert "old-version" in shown.out


def test_a_record_tells_what_was_delivered_later(cli: Cli, make_bench: object, tmp_path: Path) -> None:
    assert callable(make_bench)
    bench: Bench = make_bench("http-500:8@progress+http-500:9@version")
    ran = cli("update", "-p", "sim://BC28?speed=max", "-y", *bench.asking, ATOTA_ACCESS_KEY=KEY)
    assert ran.code == 14
    (line,) = [line for line in ran.err.splitlines() if "atota report --pending" in line]
    command = line.partition("atota ")[2].split()
    journal = ("--journal", tmp_path / "data" / "atota" / "journal-simulated.sqlite3")
    (record,) = cli("records", "list", *journal, "--json").result["records"]
    assert "it still waits" in cli("records", "show", record["id"], *journal).out
    bench.server.platform.faults = type(bench.server.platform.faults)()
    told = cli(*command, ATOTA_ACCESS_KEY=KEY)
    assert told.code == 0, told.err
    shown = cli("records", "show", record["id"], *journal).out
    assert "still waits" not in shown
    assert "delivered: 201, version" in shown
    assert re.search(r"report +done .*queued: the platform has not taken it yet", shown)
    (report,) = cli("records", "show", record["id"], *journal, "--json").result["reports"]
    assert (report["how"], report["status"]) == ("delivered", 201)


def test_only_the_key_is_needed_to_deliver_what_waits(
    cli: Cli, make_bench: Callable[..., Bench], tmp_path: Path
) -> None:
    bench = make_bench("http-500:8@progress+http-500:9@version")
    assert cli("update", "-p", "sim://BC28?speed=max", "-y", *bench.asking, ATOTA_ACCESS_KEY=KEY).code == 14
    bench.server.platform.faults = type(bench.server.platform.faults)()
    journal = tmp_path / "data" / "atota" / "journal-simulated.sqlite3"
    told = cli("report", "--pending", "--journal", journal, "--json", ATOTA_ACCESS_KEY=KEY)
    assert (told.code, told.result["waiting"]) == (0, 0), told.err
    assert [one["how"] for one in told.result["told"]] == ["delivered"]


def test_what_was_refused_later_stands_with_its_time(
    cli: Cli, make_bench: Callable[..., Bench], tmp_path: Path
) -> None:
    bench = make_bench("http-500:8@progress+http-500:9@version")
    assert cli("update", "-p", "sim://BC28?speed=max", "-y", *bench.asking, ATOTA_ACCESS_KEY=KEY).code == 14
    path = tmp_path / "data" / "atota" / "journal-simulated.sqlite3"
    with Journal(path, clock=SystemClock()) as journal:
        (queued,) = journal.pending()
        journal.settle(queued.id, "obsolete", "the task is over")
        job = queued.job
    shown = cli("records", "show", job, "--journal", path).out
    assert re.search(r"[-0-9]{10} [:0-9]{8} .*not taken, and not sent again: the task is over", shown)


@pytest.mark.parametrize("target", ["", "  "])
def test_an_empty_target_is_a_wrong_call(cli: Cli, package: Path, target: str) -> None:
    ran = cli(*flash(package, target=target))
    assert ran.code == 2
    assert "--target is empty" in ran.err


def test_blanks_round_a_target_do_not_count(cli: Cli, package: Path) -> None:
    assert cli(*flash(package, target=f" {TARGET} ")).code == 0


def test_a_target_that_differs_in_case_only_is_refused(cli: Cli, package: Path) -> None:
    ran = cli(*flash(package, target="bc28jar01a03"))
    assert ran.code == 6
    assert "bc28jar01a03 and BC28JAR01A03" in ran.err


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY", "http_proxy"])
def test_loopback_never_goes_through_a_proxy(cli: Cli, bench: Bench, variable: str) -> None:
    ran = cli("check", "-p", "sim://BC28?speed=max", *bench.asking, ATOTA_ACCESS_KEY=KEY, **{variable: DEAD})
    assert ran.code == 0, ran.err


ASK = ("check", "--model", "BC28", "--fw-version", "V1", "--dev-id", "1", "--product-id", "1")


def test_a_dead_proxy_is_named_with_its_variable(cli: Cli) -> None:
    env = {"ATOTA_ACCESS_KEY": KEY, "HTTPS_PROXY": "http://user:word@127.0.0.1:9"}
    ran = cli(*ASK, "--server", "https://ota.example", **env)
    assert ran.code == 8
    assert "through the proxy http://127.0.0.1:9" in ran.err
    assert "HTTPS_PROXY" in ran.err
    assert "user:word" not in ran.err


def test_a_socks_proxy_is_called_one(cli: Cli) -> None:
    ran = cli(*ASK, ATOTA_ACCESS_KEY=KEY, ALL_PROXY="socks5://127.0.0.1:9")
    assert ran.code == 3
    assert "ALL_PROXY names a SOCKS proxy" in ran.err
    assert "ImportError" not in ran.err


def test_a_file_of_certificates_that_is_none_is_named(cli: Cli, package: Path) -> None:
    for file in (package, package.with_name("missing.pem")):
        ran = cli(*ASK, "--cacert", file, ATOTA_ACCESS_KEY=KEY)
        assert ran.code == 3
        assert f"--cacert {file}" in ran.err.replace("\n", "")


def test_a_table_in_a_pipe_is_not_cut(cli: Cli) -> None:
    ran = cli("modules", COLUMNS="40")
    assert "cmcc-mt2625" in ran.out
    assert "…" not in ran.out


class _Watch:
    """A clock that is set by hand."""

    slice_s = 0.1
    now = 0.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_without_a_terminal_a_line_every_ten_seconds_has_bytes_rate_and_time_left() -> None:
    from atota.cli.view.progress import _Pace

    watch = _Watch()
    pace = _Pace(watch)
    pace.take(StageEvent("write", "started"))
    lines = []
    for done in range(0, 4096, 128):
        lines.append(pace.due(Progress("write", done, 4096)))
        watch.now += 1.0
    said = [line for line in lines if line]
    assert len(said) == 3
    assert said[0] == "write     1,280 of 4,096 bytes, 31 %, 128 bytes/s, 22 s left"


def test_one_command_is_sent_without_leaving_the_tool(cli: Cli) -> None:
    ran = cli("at", "-p", "sim://BC28?speed=max", "AT+CSQ", "AT+CFUN?")
    assert ran.code == 0, ran.err
    assert ran.out.splitlines()[0].startswith("+CSQ:")
    assert ran.out.splitlines()[1] == "OK"
    result = cli("at", "-p", "sim://BC28?speed=max", "AT+CSQ", "--json").result
    assert result["responses"][0]["final"] == {"text": "OK", "kind": "OK", "code": None}


def test_a_refused_command_ends_the_list(cli: Cli) -> None:
    ran = cli("at", "-p", "sim://BC28?speed=max", "AT+NOSUCH", "AT+CSQ", "--json")
    assert ran.code == 5
    assert [one["ok"] for one in ran.result["responses"]] == [False]


@pytest.mark.parametrize("command", ["+CSQ", "AT+CSQ\r", "AT+Ä"])
def test_what_is_not_a_command_is_refused_before_the_port_is_opened(cli: Cli, command: str) -> None:
    assert cli("at", "-p", "/dev/no-such-port", command).code == 2


def test_wait_ends_when_the_module_answers(cli: Cli) -> None:
    ran = cli("wait", "-p", "sim://BC28?speed=max", "--version", "BC28JAR01A03", "--json")
    assert (ran.code, ran.result["module"]["version"]) == (0, "BC28JAR01A03")


def test_wait_for_another_version_or_a_missing_port_has_an_end(cli: Cli) -> None:
    assert cli("wait", "-p", "sim://BC28?speed=max", "--version", "V9", "--timeout", "3").code == 12
    assert cli("wait", "-p", "/dev/no-such-port", "--timeout", "1").code == 11


def test_config_shows_places_origins_and_unknown_variables(cli: Cli, tmp_path: Path) -> None:
    ran = cli("config", "--json", ATOTA_PORT="sim://BC28", ATOTA_TIMOUT="3", ATOTA_ACCESS_KEY=KEY)
    assert ran.code == 0, ran.err
    assert ran.result["settings"]["port"] == {"value": "sim://BC28", "origin": "ATOTA_PORT"}
    assert ran.result["paths"]["journal"] == str(tmp_path / "data" / "atota" / "journal.sqlite3")
    assert ran.result["unknown_variables"] == ["ATOTA_TIMOUT"]
    assert "the variable ATOTA_TIMOUT is unknown; did you mean ATOTA_TIMEOUT" in ran.err
    assert KEY not in ran.out + ran.err
