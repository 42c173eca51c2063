"""Ctrl-C, a kill or a pulled plug at any moment: what is said is true, and the next run brings it home."""

import pytest

from tests.e2e.processes import Bench

pytest.importorskip("pty")
pytestmark = pytest.mark.timeout(120)

TARGET = "BC28JAR01A05"
FAST = ("--speed", "40")
SLOW_WIRE = ("--transfer-baud", "0")
"""At 9600 baud there is time to interrupt; and the module needs not be found at a raised rate again."""


@pytest.fixture(autouse=True)
def small_package(bench: Bench) -> None:
    bench.make_platform(size=8192)


def finish(bench: Bench, port: str, url: str) -> None:
    code, result = bench.update(port, url, *SLOW_WIRE).end()
    assert (code, result["outcome"], result["version_after"]) == (0, "updated", TARGET), result


def test_ctrl_c_in_the_write_leaves_the_old_firmware_and_the_next_run_goes_on(bench: Bench) -> None:
    _, url = bench.serve_platform()
    module, port = bench.serve_module(*FAST)
    update = bench.update(port, url, *SLOW_WIRE)
    update.wait_for_written(0.3)
    update.interrupt()
    code, result = update.end()
    assert (code, result["outcome"], result["ok"]) == (130, "interrupted", False)
    assert "still runs what it ran" in result["error"]["hint"]
    assert "still runs what it ran" in update.errors
    assert result["version_after"] is None
    finish(bench, port, url)
    module.wait_for(lambda event: event.get("change") == f"now runs {TARGET}")


def test_one_ctrl_c_in_the_reboot_is_waited_out(bench: Bench) -> None:
    _, url = bench.serve_platform()
    _, port = bench.serve_module(*FAST)
    update = bench.update(port, url, *SLOW_WIRE)
    update.wait_for_stage("reboot")
    update.interrupt()
    code, result = update.end()
    assert (code, result["outcome"]) == (0, "updated")
    assert "Ctrl-C again" in update.errors


def test_two_ctrl_c_in_the_reboot_end_it_and_say_what_to_check(bench: Bench) -> None:
    _, url = bench.serve_platform()
    _, port = bench.serve_module(
        "--speed", "1", "--fault", "stay-dead-after-update", "--options", "baud=115200"
    )
    update = bench.update(port, url, "--baud", "115200")
    update.wait_for_stage("reboot")
    update.interrupt()
    update.wait_for(lambda event: event["event"] == "progress" and event["stage"] == "reboot")
    update.interrupt()
    code, result = update.end()
    assert (code, result["outcome"]) == (130, "interrupted")
    assert "atota identify" in result["error"]["hint"]
    assert "has started, or may have" in result["error"]["hint"]


@pytest.mark.parametrize("stage", ["identify", "prepare"])
def test_ctrl_c_before_the_write_changes_nothing(bench: Bench, stage: str) -> None:
    _, url = bench.serve_platform()
    _, port = bench.serve_module(*FAST)
    update = bench.update(port, url, *SLOW_WIRE)
    update.wait_for_stage(stage)
    update.interrupt()
    code, result = update.end()
    assert (code, result["outcome"]) == (130, "interrupted")
    finish(bench, port, url)


@pytest.mark.parametrize("share", [0.0, 0.4, 0.99])
def test_a_killed_update_is_brought_home_by_the_next_run(bench: Bench, share: float) -> None:
    _, url = bench.serve_platform()
    _, port = bench.serve_module(*FAST)
    update = bench.update(port, url, *SLOW_WIRE)
    update.wait_for_written(share)
    update.kill()
    finish(bench, port, url)


def test_an_update_killed_at_a_raised_rate_is_brought_home_by_the_next_run(bench: Bench) -> None:
    _, url = bench.serve_platform()
    _, port = bench.serve_module(*FAST)
    update = bench.update(port, url, "--transfer-baud", "57600")
    update.wait_for_written(0.5)
    update.kill()
    code, result = bench.start("identify", "--port", port).end()
    assert code == 0, result
    finish(bench, port, url)


def test_an_update_killed_in_the_reboot_is_found_done_by_the_next_run(bench: Bench) -> None:
    _, url = bench.serve_platform()
    module, port = bench.serve_module(*FAST)
    update = bench.update(port, url, *SLOW_WIRE)
    update.wait_for_stage("reboot")
    update.kill()
    module.wait_for(lambda event: event.get("change") == f"now runs {TARGET}")
    code, result = bench.update(port, url).end()
    assert (code, result["ok"]) == (0, True), result
    assert (result["outcome"], result["version_before"]) == ("updated", "BC28JAR01A03")
    assert result["resumes"]


def test_a_port_that_vanishes_in_the_write_is_a_lost_port(bench: Bench) -> None:
    _, url = bench.serve_platform()
    module, port = bench.serve_module(*FAST)
    update = bench.update(port, url, *SLOW_WIRE)
    update.wait_for_written(0.3)
    module.kill()
    code, result = update.end()
    assert (code, result["outcome"]) == (4, "port")
    assert result["error"]["hint"]


def test_a_tcp_module_that_vanishes_is_a_lost_port(bench: Bench) -> None:
    _, url = bench.serve_platform()
    module, port = bench.serve_module(*FAST, "--tcp", "127.0.0.1:0")
    update = bench.update(port, url, *SLOW_WIRE)
    update.wait_for_written(0.3)
    module.kill()
    code, result = update.end()
    assert (code, result["outcome"]) == (4, "port")


def test_ctrl_c_ends_what_is_served(bench: Bench) -> None:
    server, _ = bench.serve_platform()
    module, _ = bench.serve_module()
    for process in (server, module):
        process.interrupt()
        code, result = process.end()
        assert (code, result["outcome"]) == (0, "done")
