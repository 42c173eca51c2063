"""`kill -9` of a real update on a pty at ten moments drawn by chance: the next run ends right."""

import random
import re

import pytest

from tests.e2e.processes import Bench, Event

pytest.importorskip("pty")
pytestmark = pytest.mark.timeout(150)

TARGET = "BC28JAR01A05"
TOKEN = re.compile(rb"ota_[0-9A-Za-z]{20}")
_DRAWN = random.Random("ten moments")
MOMENTS = sorted(_DRAWN.sample(range(2, 64), 10))
"""After how many events of the job it is killed; it has about 65, most of them in write and reboot."""


def records(bench: Bench) -> list[Event]:
    code, result = bench.start("records", "list").end()
    assert code == 0
    found: list[Event] = result["records"]
    return found


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_update_killed_at_any_moment_is_brought_home_by_the_next(bench: Bench, moment: int) -> None:
    bench.make_platform(size=8192)
    _, url = bench.serve_platform()
    module, port = bench.serve_module("--speed", "40")
    first = bench.update(port, url, "--transfer-baud", "0")
    seen = 0

    def enough(event: Event) -> bool:
        nonlocal seen
        seen += 1
        return seen >= moment or event["event"] == "result"

    first.wait_for(enough)
    first.kill()
    code, result = bench.update(port, url, "--transfer-baud", "0").end()
    assert code == 0, result
    over = any(event["event"] == "result" for event in first.events)
    assert result["outcome"] == ("no-task" if over else "updated"), result
    module.wait_for(lambda event: event.get("change") == f"now runs {TARGET}")
    told = records(bench)
    assert told[0]["outcome"] == result["outcome"]
    assert {record["outcome"] for record in told[1:]} <= {"interrupted", "updated"}
    assert bench.start("report").end()[1]["waiting"] == 0
    left = [path for path in (bench.folder / "XDG_DATA_HOME").rglob("*") if path.is_file()]
    assert left
    assert [path for path in left if TOKEN.search(path.read_bytes())] == []
