"""The newer APIs of OneNET with real processes: `atota sim server` with a task, and an update of a module.

The server's `tasks.toml` has ``product_id``, ``device_name`` and the device's own ``key``.
"""

import pytest

from atota.sim.package import build_package
from tests.e2e.processes import Bench

pytestmark = pytest.mark.timeout(120)

BASE, TARGET = "BC28JAR01A03", "BC28JAR01A05"
KEY = "b2J2aW91c2x5IGEgZmFrZSBrZXk="
TASKS = f"""
[auth]
product_id = "9x8aBcD3eF"
access_key = "{KEY}"

[[device]]
dev_id = "6523"
product_id = "9x8aBcD3eF"
device_name = "meter-7"
key = "{KEY}"

[[task]]
dev_id = "6523"
manuf = "014"
model = "01401"
package = "p.bin"
target = "{TARGET}"
"""


@pytest.mark.parametrize("api", ["fuse", "studio"])
def test_a_simulated_module_is_updated_over_each_api(bench: Bench, api: str) -> None:
    bench.platform_folder.mkdir()
    package = build_package(model="BC28", base=BASE, target=TARGET, size=8192)
    (bench.platform_folder / "p.bin").write_bytes(package)
    (bench.platform_folder / "access-key").write_text(f"{KEY}\n")
    (bench.platform_folder / "tasks.toml").write_text(TASKS)
    server, url = bench.serve_platform()
    words = ("--api", api, "--server", url, "--product-id", "9x8aBcD3eF", "--device-name", "meter-7")
    key = ("--access-key-file", str(bench.platform_folder / "access-key"))
    code, result = bench.start("update", "-p", "sim://BC28", *words, *key).end()
    assert (code, result["outcome"], result["version_after"]) == (0, "updated", TARGET), result
    server.wait_for(lambda event: event["event"] == "request" and "task done" in event["line"])
    again, told = bench.start("update", "-p", "sim://BC28", "--detailed-exit-code", *words, *key).end()
    assert (again, told["outcome"]) == (10, "no-task")
