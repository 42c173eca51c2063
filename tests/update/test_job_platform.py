"""What the platform is told, when, and what never; and what its troubles make of a job."""

from collections.abc import Callable
from typing import Any

import pytest

from atota.errors import PlatformRefused
from atota.update.events import JobEvent, Note, StageEvent

MakeBench = Callable[..., Any]


def calls(bench: Any) -> list[tuple[str, Any]]:
    return [(said.call, said.value) for said in bench.platform.task("1").history if said.errno == 0]


def test_the_order_towards_the_platform(make_bench: MakeBench) -> None:
    bench = make_bench("M5310-A", size=40_000)
    seen: list[str] = []

    def on_request(path: str) -> None:
        seen.append(f"{path.rsplit('/', 1)[-1]}@{bench.stages()[-1]}")

    bench.on_request = on_request
    result = bench.run()
    bench.judge(result)
    said = calls(bench)
    assert [call for call, _ in said if call != "progress"] == ["check", "token", "download", "version"]
    steps = [value for call, value in said if call == "progress"]
    assert steps == sorted(steps)
    assert all(step <= 99 for step in steps[:-2])
    assert steps[-2:] == [101, 201]
    assert 100 not in steps
    assert said[-1] == ("version", bench.target)
    assert seen[0] == "check@check"
    assert seen[-3:] == ["progress@validate", "progress@report", "version@report"]
    assert not bench.platform.complaints


def test_nothing_is_told_before_the_check_unless_registered(make_bench: MakeBench) -> None:
    bench = make_bench()
    bench.run()
    assert bench.requests[0] == "GET /ota/south/check"
    bench = make_bench()
    assert bench.run(register=True).outcome == "updated"
    assert bench.requests[:2] == ["POST /ota/device/version", "GET /ota/south/check"]


def test_the_stages_of_a_whole_job_in_their_order(make_bench: MakeBench) -> None:
    bench = make_bench("M5310-A")
    bench.run()
    names = "open identify check plan download verify prepare write validate activate reboot confirm report"
    assert bench.stages() == bench.stages("done") == names.split()
    total = bench.progress("write")[-1]
    assert (total.done, total.total, total.unit) == (len(bench.package), len(bench.package), "bytes")
    assert {event.unit for event in bench.progress("reboot")} == {"percent"}


def test_a_stage_that_does_not_apply_is_skipped(make_bench: MakeBench) -> None:
    bench = make_bench("BC28")
    bench.run()
    assert bench.stages("skipped") == ["validate"]
    bench = make_bench("BC28", sim={"version": "BC28JAR01A05"})
    result = bench.run()
    assert result.outcome == "already-current"
    assert set(bench.stages("skipped")) == {
        "download",
        "verify",
        "prepare",
        "write",
        "validate",
        "activate",
        "reboot",
        "confirm",
    }


def test_no_task(make_bench: MakeBench) -> None:
    bench = make_bench()
    bench.platform.task("1").cancel()
    result = bench.run()
    assert (result.outcome, result.exit_code, result.ok) == ("no-task", 0, True)
    assert calls(bench) == []


def test_already_current_tells_the_platform_the_target(make_bench: MakeBench) -> None:
    bench = make_bench("BC28", sim={"version": "BC28JAR01A05"})
    result = bench.run(fw_version="V1.0")
    bench.judge(result)
    assert (result.outcome, result.exit_code, result.version_after) == ("already-current", 0, bench.target)
    assert calls(bench)[-1] == ("version", bench.target)
    assert bench.state == "done"
    assert not bench.module.starts


def test_free_text_versions_of_the_platform(make_bench: MakeBench) -> None:
    bench = make_bench("BC28", task_target="V2.0")
    result = bench.run(expect_version="BC28JAR01A05", fw_version="V1.0")
    bench.judge(result)
    assert result.outcome == "updated"
    assert calls(bench)[-1] == ("version", "V2.0")
    assert bench.platform.version("1") == "V2.0"


def test_a_version_that_is_neither_old_nor_expected_is_no_success(make_bench: MakeBench) -> None:
    bench = make_bench("BC28", task_target="V2.0")
    result = bench.run()
    assert (result.outcome, result.exit_code) == ("unknown-after-reboot", 11)
    assert result.error is not None
    assert "--expect-version" in result.error.hint
    assert 201 not in bench.reported
    assert 206 not in bench.reported


# -- the operator's doings -----------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["plan", "download", "prepare", "write", "validate"])
def test_a_task_cancelled_before_the_start_stops_the_job_and_nothing_is_told(
    make_bench: MakeBench, stage: str
) -> None:
    bench = make_bench("M5310-A")

    def cancel(event: JobEvent) -> None:
        if isinstance(event, StageEvent) and (event.stage, event.state) == (stage, "started"):
            bench.platform.task("1").cancel()

    result = bench.run(listener=cancel)
    bench.judge(result)
    assert (result.outcome, result.exit_code) == ("server", 8)
    assert isinstance(result.error, PlatformRefused)
    assert result.error.errno == 22
    assert not bench.module.starts
    assert all(step < 100 for step in bench.reported)
    assert bench.state == "cancelled"
    assert bench.module.settings.values[b"CFUN"] == b"1"


def test_a_cancelled_download_stops_at_once(make_bench: MakeBench) -> None:
    bench = make_bench("BC28", "", "cancelled-after:50%", size=60_000)
    result = bench.run()
    bench.judge(result)
    assert (result.outcome, result.exit_code) == ("server", 8)
    assert bench.state == "cancelled"
    assert not bench.module.flash.erases


@pytest.mark.parametrize("stage", ["check", "download", "prepare", "write"])
def test_a_paused_task_is_waited_for_and_costs_no_retry(make_bench: MakeBench, stage: str) -> None:
    bench = make_bench("BC28", "", interval=60, retry=1)
    task = bench.platform.task("1")
    waits: list[str] = []

    def listener(event: JobEvent) -> None:
        if isinstance(event, StageEvent) and (event.stage, event.state) == (stage, "started"):
            task.pause()
        if isinstance(event, Note) and "paused" in event.text:
            waits.append(event.text)
            if len(waits) == 3:
                task.resume()

    result = bench.run(listener=listener)
    bench.judge(result)
    assert result.outcome == "updated"
    assert len(waits) == 3
    seconds = 30 if stage == "check" else 60  # before the check nobody knows the interval
    assert f"waiting {seconds} s" in waits[0]
    assert bench.reported[-2:] == [101, 201]


def test_an_expired_token_costs_one_new_check(make_bench: MakeBench) -> None:
    bench = make_bench("BC28", "", "expired-token:0")
    result = bench.run()
    bench.judge(result)
    assert result.outcome == "updated"
    assert bench.requests.count("GET /ota/south/check") == 2


def test_a_token_that_expires_during_the_write_is_renewed_before_the_start(make_bench: MakeBench) -> None:
    bench = make_bench("BC28")

    def expire(event: JobEvent) -> None:
        if isinstance(event, StageEvent) and (event.stage, event.state) == ("write", "started"):
            bench.platform.task("1").expire_token(bench.clock.time())

    result = bench.run(listener=expire)
    bench.judge(result)
    assert result.outcome == "updated"
    assert bench.requests.count("GET /ota/south/check") == 2
    assert bench.reported[-2:] == [101, 201]


def test_a_token_that_expires_in_the_reboot_is_made_good_by_the_version_report(make_bench: MakeBench) -> None:
    bench = make_bench("BC28")

    def expire(event: JobEvent) -> None:
        if isinstance(event, StageEvent) and (event.stage, event.state) == ("reboot", "started"):
            bench.platform.task("1").expire_token(bench.clock.time())

    result = bench.run(listener=expire)
    bench.judge(result)
    assert result.outcome == "updated"
    assert bench.state == "done"


def test_a_task_that_stands_at_upgrading_uses_the_verified_package_in_the_cache(
    make_bench: MakeBench,
) -> None:
    bench = make_bench("M5310-A")
    bench.down = False

    def unplug(event: JobEvent) -> None:
        if isinstance(event, StageEvent) and (event.stage, event.state) == ("activate", "started"):
            bench.module.unplugged = True

    first = bench.run(listener=unplug)
    assert first.outcome == "port"
    assert bench.state == "upgrading"
    assert not bench.module.starts
    before = bench.requests.count("GET /ota/south/download")
    result = bench.run()
    bench.judge(result)
    assert result.outcome == "updated"
    downloads = [said for said in bench.platform.task("1").history if said.call == "download"]
    assert len(downloads) == 1
    assert before == 0
    assert bench.state == "done"


# -- failures that are told, and those that are not ------------------------------------------------


def test_a_wrong_digest_after_a_second_download_is_205(make_bench: MakeBench) -> None:
    bench = make_bench("BC28", "", "wrong-md5")
    result = bench.run()
    bench.judge(result)
    assert (result.outcome, result.exit_code) == ("bad-package", 7)
    assert bench.reported[-1] == 205
    assert bench.state == "failed"
    assert not bench.module.flash.erases


def test_a_package_that_the_module_cannot_be_given_is_204(make_bench: MakeBench) -> None:
    for data in (b"Firmware chunks" + bytes(500), b"x" * 1027):
        bench = make_bench("BC28", package=data)
        result = bench.run()
        bench.judge(result)
        assert (result.outcome, result.exit_code) == ("bad-package", 7)
        assert bench.reported[-1] == 204
        assert not bench.module.flash.erases


@pytest.mark.parametrize("model", ["BC28", "M5310-A", "BC95-B8", "SARA-N200"])
def test_a_rollback_is_206(make_bench: MakeBench, model: str) -> None:
    bench = make_bench(model, "rollback")
    result = bench.run()
    bench.judge(result)
    assert (result.outcome, result.exit_code) == ("old-version", 12)
    assert bench.reported[-1] == 206
    assert (result.version_before, result.version_after) == (bench.base, None)
    assert bench.state == "failed"
    assert bench.run().outcome == "no-task"


def test_used_up_retries_of_the_task_are_207(make_bench: MakeBench) -> None:
    bench = make_bench("BC28", "reboot-at-block:4+reboot-at-block:5", retry=1, interval=5)
    result = bench.run()
    bench.judge(result)
    assert (result.outcome, result.exit_code) == ("write-failed", 9)
    assert bench.reported[-1] == 207


@pytest.mark.parametrize(
    "fault",
    [
        "silent-at:6",
        "unplug-at:6",
        "refuse-block:6:9",
        "refuse-start",
        "reboot-at-block:4+reboot-at-block:5+reboot-at-block:6",
        "stay-dead-after-update",
    ],
)
def test_our_passing_trouble_is_not_told_as_a_failure(make_bench: MakeBench, fault: str) -> None:
    bench = make_bench("BC28", fault)
    result = bench.run()
    bench.judge(result)
    assert not result.ok
    assert all(step in (*range(100), 101) for step in bench.reported)
    assert bench.state in ("downloading", "upgrading")


def test_a_start_lost_to_a_brown_out_is_not_told_as_a_rollback(make_bench: MakeBench) -> None:
    bench = make_bench("BC28", "brownout-at-block:start+reboot-at-block:3")
    result = bench.run()
    bench.judge(result)
    assert result.outcome == "updated", result.error
    assert "brownout-at-block:start" in bench.module.faults.struck
    assert 206 not in bench.reported


def test_a_sha256_that_the_user_expects_is_not_the_platforms_fault(make_bench: MakeBench) -> None:
    bench = make_bench()
    result = bench.run(sha256="0" * 64)
    bench.judge(result)
    assert (result.outcome, result.exit_code) == ("bad-package", 7)
    assert all(step < 100 for step in bench.reported)
    assert bench.state == "downloading"
    assert make_bench().run(sha256="nonsense").exit_code == 2


# -- thresholds ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("csq", "signal", "refused"), [(20, 20, True), (21, 20, False), (5, 0, False)])
def test_the_signal_of_the_task(make_bench: MakeBench, csq: int, signal: int, refused: bool) -> None:
    bench = make_bench("BC28", sim={"csq": csq}, signal=signal)
    result = bench.run()
    bench.judge(result)
    assert (result.outcome, result.exit_code) == (("refused", 6) if refused else ("updated", 0))
    assert bench.state == ("pending" if refused else "done")


def test_a_value_that_the_module_cannot_tell_warns_only(make_bench: MakeBench) -> None:
    bench = make_bench("BC28", sim={"csq": 99}, signal=10, power=50)
    result = bench.run()
    assert result.outcome == "updated"
    assert len([line for line in result.warnings if "reports none" in line]) == 2


def test_a_refusal_is_told_only_if_asked_for(make_bench: MakeBench) -> None:
    bench = make_bench("BC28", sim={"csq": 3}, signal=10)
    assert bench.run().outcome == "refused"
    assert bench.reported == []
    result = bench.run(report_refusals=True)
    assert result.outcome == "refused"
    assert bench.reported == [106]


# -- the platform in trouble -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("server", "code"),
    [
        ("http-401@check", 8),
        ("http-404@check", 8),
        ("http-500@check", 8),
        ("html@check", 8),
        ("redirect@check", 8),
        ("no-data@check", 8),
        ("unknown-errno@check", 8),
        ("errno:1@check", 8),
        ("errno:8@check", 8),
        ("errno:7@check", 8),
        ("http-500@download", 8),
        ("html@download", 8),
        ("one-byte-error:1@download", 8),
        ("wrong-size", 7),
        ("http-500:2@check", 0),
        ("errno:7:2@check", 0),
        ("quoted-numbers", 0),
        ("shuffled-keys", 0),
        ("upper-md5", 0),
        ("cut-after:30%:2", 0),
        ("http-500:1@download", 0),
        ("one-byte-error:4:1@download", 0),
        ("ignore-range+cut-after:50%", 0),
        ("http-500@progress", 0),
        ("unknown-errno@progress", 14),
    ],
)
def test_troubles_of_the_platform(make_bench: MakeBench, server: str, code: int) -> None:
    bench = make_bench("BC28", "", server, size=20_000)
    result = bench.run()
    bench.judge(result)
    if server == "http-500@progress":
        code = 14  # the success itself could not be told, the version could
    assert result.exit_code == code, result.error
    if code in (7, 8):
        assert result.error is not None
        assert result.error.hint
        assert bench.link is None or not bench.module.flash.erases
    if code in (0, 14):
        assert bench.module.version == bench.target


def test_a_platform_that_is_down(make_bench: MakeBench) -> None:
    bench = make_bench()
    bench.down = True
    result = bench.run()
    bench.judge(result)
    assert (result.outcome, result.exit_code) == ("server", 8)
    assert bench.stages()[-1] == "check"


def test_a_platform_that_goes_down_at_the_end_leaves_updated_unreported(make_bench: MakeBench) -> None:
    bench = make_bench()

    def fall(event: JobEvent) -> None:
        if isinstance(event, StageEvent) and (event.stage, event.state) == ("report", "started"):
            bench.down = True

    result = bench.run(listener=fall)
    bench.judge(result)
    assert (result.outcome, result.exit_code, result.ok) == ("updated-unreported", 14, False)
    assert result.version_after == bench.target
    assert len(result.warnings) == 1
    bench.down = False
    again = bench.run()
    assert again.outcome == "already-current"
    assert bench.state == "done"


def test_a_platform_that_goes_down_during_the_write_does_not_hinder_the_update(make_bench: MakeBench) -> None:
    bench = make_bench()

    def fall(event: JobEvent) -> None:
        if isinstance(event, StageEvent) and event.stage == "write":
            bench.down = event.state == "started" or bench.down
        if isinstance(event, StageEvent) and event.stage == "reboot":
            bench.down = False

    result = bench.run(listener=fall)
    bench.judge(result)
    assert result.outcome == "updated"
    assert bench.state == "done"


def test_secrets_are_in_no_event_and_no_error(make_bench: MakeBench) -> None:
    for server in ("", "wrong-md5", "errno:1@token", "http-500@download", "expired-token:0"):
        bench = make_bench("BC28", "", server)
        result = bench.run()
        told = f"{bench.events} {result} {result.error} {result.error and result.error.tried}"
        assert bench.platform.task("1").token not in told
        assert "nobody's own" not in told
        assert "sign=" not in told
