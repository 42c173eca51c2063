"""The demo: four modules are updated, and the fifth fails as it is meant to."""

import base64

import pytest

from atota.cli.call import Call
from atota.cli.commands import demo
from atota.cli.commands.demo import BENCHES
from atota.cli.view.output import Output
from tests.cli.running import Cli

AS_MEANT = ["updated"] * 4 + ["write-failed"]


def test_programs_get_every_lane_s_events_and_one_result(cli: Cli) -> None:
    ran = cli("demo", "--speed", "200", "--json")
    assert ran.code == 0, ran.err
    result = ran.result
    assert (result["ok"], result["outcome"], result["exit_code"]) == (True, "done", 0)
    assert [one["lane"] for one in result["modules"]] == ["1", "2", "3", "4", "5"]
    assert [one["outcome"] for one in result["modules"]] == AS_MEANT
    assert [one["version_after"] for one in result["modules"][:4]] == [one.target for one in BENCHES[:4]]
    notes = [line["text"] for line in ran.lines if line["event"] == "note" and line.get("lane") == "4"]
    assert any("beginning the write again" in text for text in notes), notes
    lanes = {line["lane"] for line in ran.lines if line["event"] == "stage"}
    assert lanes == {one.lane for one in BENCHES}
    assert base64.b64decode(demo._KEY).decode() not in ran.out + ran.err


def test_people_get_a_table_and_the_reason_of_the_failure(cli: Cli) -> None:
    ran = cli("demo", "--speed", "200")
    assert ran.code == 0, ran.err
    for bench in BENCHES:
        assert bench.model in ran.out
    assert "lane 5, M5310-A (this one fails on purpose):" in ran.err
    assert ran.err.count("next:") == 1


def test_a_demo_that_is_stopped_is_interrupted_and_leaves_no_thread() -> None:
    call = Call({}, Output("demo", json=False, verbosity=-1))
    call.stop.set()
    assert demo.demo(call, 200.0) == 130


def test_a_demo_that_does_not_go_as_meant_is_an_error(monkeypatch: pytest.MonkeyPatch, cli: Cli) -> None:
    monkeypatch.setattr(demo, "BENCHES", (BENCHES[0]._replace(fault="rollback"),))
    ran = cli("demo", "--speed", "200", "--json")
    assert (ran.code, ran.result["outcome"], ran.result["ok"]) == (1, "error", False)
    assert ran.result["modules"][0]["outcome"] == "old-version"
