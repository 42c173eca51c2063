"""The CPU time of a transfer: hex blocks through a pty into a simulated module in another process.

The module takes every block as fast as it comes, so only our own work is measured: CPU time of this
thread for each block, and from it the share of a core that one port costs at 115200 baud, where blocks come
as fast as the wire and the dialect's pause after each result let them.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO

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
    assert module.stdout is not None
    try:
        port = ready(module.stdout)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "package.bin"
            file.write_bytes(package)
            with open_module(port) as opened:
                opened.identify()
                # The module's lines must be read, or its pipe fills and it waits.
                threading.Thread(target=module.stdout.read, daemon=True).start()
                pause_s = opened.session.dialect.uart.pause_after_final_s
                transfers = [transfer(opened, file) for _ in range(arguments.times)]
    finally:
        module.terminate()
        module.wait()
    blocks, seconds = min(transfers, key=lambda one: one[1] / one[0])
    size = len(package) / blocks
    block_s = (HEAD + 2 * size + REPLY) * BITS / BAUD + pause_s
    share = seconds / blocks / block_s
    megabytes = len(package) / 1e6
    print(f"{blocks} blocks, {megabytes:.2f} MB: {seconds / megabytes:.2f} CPU seconds per MB")
    print(f"a block: {1e6 * seconds / blocks:.0f} us of CPU in {1e3 * block_s:.1f} ms at {BAUD} baud")
    print(f"share of a core for one port at {BAUD} baud: {share:.2%} (goal: under {GOAL_SHARE:.1%})")
    return 0 if share < GOAL_SHARE else 1


def ready(lines: IO[str]) -> str:
    for line in lines:
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
    start = time.thread_time()
    method.write(session, file, lambda *_: None)
    return method.counters.blocks, time.thread_time() - start
