"""The README's story with real processes: a platform, a module on a pty or a TCP port, and an update."""

import pytest

from atota.update.events import STAGES
from tests.e2e.processes import Bench

pytest.importorskip("pty")
pytestmark = pytest.mark.timeout(120)

BASE, TARGET = "BC28JAR01A03", "BC28JAR01A05"
FAST = ("--speed", "60")


@pytest.mark.parametrize("place", [(), ("--tcp", "127.0.0.1:0")], ids=["pty", "tcp"])
def test_a_module_is_updated_over_real_http(bench: Bench, place: tuple[str, ...]) -> None:
    server, url = bench.serve_platform()
    module, port = bench.serve_module(*FAST, *place)
    assert port.startswith("socket://" if place else "/dev/")
    update = bench.update(port, url)
    code, result = update.end()
    assert (code, result["outcome"], result["ok"]) == (0, "updated", True)
    assert (result["version_before"], result["version_after"]) == (BASE, TARGET)
    assert tuple(dict.fromkeys(e["stage"] for e in update.events if e["event"] == "stage")) == STAGES
    module.wait_for(lambda event: event.get("change") == f"now runs {TARGET}")
    server.wait_for(lambda event: event["event"] == "request" and "task done" in event["line"])

    again, told = bench.update(port, url, "--detailed-exit-code").end()
    assert (again, told["outcome"]) == (10, "no-task")
    for process in (server, module):
        process.interrupt()
        assert process.end()[0] == 0


def test_the_three_terminals_of_somebody_who_reads_only_people_s_text(bench: Bench) -> None:
    _, url = bench.serve_platform()
    _, port = bench.serve_module(*FAST)
    told = bench.start("identify", "--port", port).end()[1]
    assert told["module"]["version"] == BASE
    key = str(bench.platform_folder / "access-key")
    asking = ("--server", url, "--dev-id", "6523", "--product-id", "1000", "--access-key-file", key)
    assert bench.start("check", "--port", port, *asking).end()[1]["outcome"] == "task"
    output = bench.folder / "p.bin"
    package = bench.start("download", "--port", port, *asking, "-o", str(output)).end()[1]["package"]
    flash = ("flash", str(output), "--md5", package["md5"], "--target", TARGET, "--port", port, "-y")
    assert bench.start(*flash).end()[1]["outcome"] == "updated"


@pytest.mark.parametrize(
    ("fault", "code", "outcome"),
    [
        ("http-500:100", 8, "server"),
        ("http-401", 8, "server"),
        ("http-404", 8, "server"),
        ("html", 8, "server"),
        ("wrong-md5", 7, "bad-package"),
        ("cut-after:50%", 0, "updated"),
    ],
)
def test_a_platform_in_trouble_ends_in_its_exit_code(
    bench: Bench, fault: str, code: int, outcome: str
) -> None:
    _, url = bench.serve_platform("--fault", fault)
    module, port = bench.serve_module(*FAST)
    ended, result = bench.update(port, url).end()
    assert (ended, result["outcome"]) == (code, outcome), result
    if code:
        module.interrupt()
        module.end()
        assert not [event for event in module.events if event["event"] == "change"]


def test_two_servers_on_one_port_end_in_a_clear_error(bench: Bench) -> None:
    _, url = bench.serve_platform()
    second = bench.start("sim", "server", str(bench.platform_folder), "--port", url.rpartition(":")[2])
    code, result = second.end()
    assert (code, result["outcome"]) == (8, "server")
    assert "port" in result["error"]["message"]


def test_a_second_program_on_the_same_port_is_told_that_it_is_busy(bench: Bench) -> None:
    _, url = bench.serve_platform()
    _, port = bench.serve_module("--speed", "8")
    first = bench.update(port, url)
    first.wait_for_written(0.1)
    code, result = bench.start("identify", "--port", port).end()
    assert (code, result["outcome"]) == (4, "port")
    assert result["error"]["code"] == "link.busy"
