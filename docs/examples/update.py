"""Update one module with a package from a file, and print the job's events as they come.

`atota.update_module` does the same with the task and the package of an OTA platform. Without arguments a
simulated module takes a package of random bytes:

    python docs/examples/update.py /dev/ttyUSB0 package.bin VERSION
"""

import hashlib
import os
import sys
import tempfile
from pathlib import Path

import atota
from atota.update.events import JobEvent, Progress, StageEvent

TARGET = "BC28JAR01A04"
SIMULATED = f"sim://BC28?accept=any&becomes={TARGET}"


def listen(event: JobEvent) -> None:
    if isinstance(event, StageEvent):
        print(f"{event.stage}: {event.state} {event.detail}".rstrip())
    elif isinstance(event, Progress) and event.done == event.total:
        print(f"{event.stage}: {event.total} {event.unit}")


def main(port: str = SIMULATED, file: str = "", target: str = TARGET) -> int:
    with tempfile.TemporaryDirectory() as folder:
        package = Path(file or f"{folder}/package.bin")
        if not file:
            package.write_bytes(os.urandom(4096))
        md5 = hashlib.md5(package.read_bytes(), usedforsecurity=False).hexdigest()
        result = atota.flash_module(port, package, md5=md5, target=target, listener=listen)
    print(f"{result.outcome}: {result.version_before} -> {result.version_after}", result.error or "")
    return result.exit_code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
