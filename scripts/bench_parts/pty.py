"""What a transfer costs the CPU: hex blocks through a pty into a simulated module in another process.

The module takes every block as fast as it comes, so what is measured is our own work: CPU time of this process
for each block, and from it the share of a core that one port costs at 115200 baud, where blocks come as fast as
the wire lets them and no pause is made between them.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from atota.fota.registry import method_for
from atota.module.module import Module, open_module
from atota.sim.package import build_package

GOAL_SHARE = 0.005
BAUD = 115200
BITS = 10  # 8N1
HEAD, REPLY = len("AT+NFWUPD=1,1000,256,,FF\r"), len("\r\nOK\r\n")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kb", type=int, default=256, help="size of the package in KiB (default 256)")
    parser.add_argument("--times", type=int, default=3, help="transfers; the best one counts (default 3)")


def run(arguments: argparse.Namespace) -> int:
    package = build_package(
        model="BC28", base="BC28JAR01A03", target="BC28JAR01A05", size=1024 * arguments.kb
    )
    module = subprocess.Popen(
        [sys.executable, "-m", "atota", "sim", "module", "BC28", "--speed", "1000", "--json"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        port = ready(module)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "package.bin"
            file.write_bytes(package)
            with open_module(port) as opened:
                opened.identify()
                found = [transfer(opened, file) for _ in range(arguments.times)]
    finally:
        module.terminate()
        module.wait()
    blocks, seconds = min(found, key=lambda one: one[1] / one[0])
    size = len(package) / blocks
    wire_s = (HEAD + 2 * size + REPLY) * BITS / BAUD
    share = seconds / blocks / wire_s
    print(
        f"{blocks} blocks, {len(package) / 1e6:.2f} MB: {seconds / (len(package) / 1e6):.2f} CPU seconds per MB"
    )
    print(
        f"a block: {1e6 * seconds / blocks:.0f} us of CPU; on the wire at {BAUD} baud: {1e3 * wire_s:.1f} ms"
    )
    print(
        f"share of a core for one port at {BAUD} baud: {100 * share:.2f} % (goal: under {100 * GOAL_SHARE} %)"
    )
    return 0 if share < GOAL_SHARE else 1


def ready(module: subprocess.Popen[str]) -> str:
    assert module.stdout is not None
    for line in module.stdout:
        event = json.loads(line)
        if event["event"] == "ready":
            return str(event["port"])
    raise SystemExit("the simulated module did not start")


def transfer(opened: Module, file: Path) -> tuple[int, float]:
    """One transfer: how many blocks, and the CPU seconds of this process for them."""
    session = opened.session
    method = method_for(session.dialect)
    method.probe(session)
    method.prepare(session)
    start = time.process_time()
    method.write(session, file, lambda *_: None)
    return method.tally.blocks, time.process_time() - start
