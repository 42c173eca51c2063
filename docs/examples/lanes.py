"""Update many modules at once: one thread for each port, one verdict for each module.

Every argument is a port. Without arguments four simulated modules are updated, and the third one loses its
power in the middle of the write: the job notices, and writes it anew.
"""

import hashlib
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import atota

TARGET = "BC28JAR01A04"
SIMULATED = f"sim://BC28?accept=any&becomes={TARGET}"
PORTS = (SIMULATED, SIMULATED, f"{SIMULATED}&fault=brownout-at-block:3", SIMULATED)


def work(port: str, package: Path, md5: str) -> str:
    # A job never raises what a module, a cable or a user can cause: it is in the result.
    result = atota.flash_module(port, package, md5=md5, target=TARGET, timeout_s=1800)
    return f"{result.outcome}: {result.version_after or result.error}, {result.boots} restarts"


def main(*ports: str) -> int:
    ports = ports or PORTS
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(len(ports)) as threads:
        package = Path(folder, "package.bin")
        package.write_bytes(data := os.urandom(4096))
        md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
        verdicts = list(threads.map(partial(work, package=package, md5=md5), ports))
    for lane, verdict in enumerate(verdicts, 1):
        print(f"lane {lane}: {verdict}")
    return 0 if all(verdict.startswith("updated:") for verdict in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
