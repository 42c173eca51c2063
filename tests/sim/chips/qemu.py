"""Real MCUboot in QEMU: the judge of the simulated recovery, and of the program's own client.

The bootloader and its application are public builds of intercreate/smpclient (Apache-2.0), which are never
committed here. `ATOTA_TEST_MCUBOOT` names the folder ``tests/fixtures/smp-server`` of a clone at 4970f3e. The
slot is RAM: without the application's image the recovery runs, and an upload survives a reset.
"""

import contextlib
import hashlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

_NAME = "zephyr_f33aa2bc4a43_smp_server_27c54835_mps2_an385_serial_recovery"
_DIGESTS = {
    ".hex": "bc5048d9da74bfcff1604a954fe355ef7bf83735ade6fa1bba1174ab37715c47",
    ".signed.bin": "7fe9223179f723b5599bb17f93ea3323c0dd17c9c1b034ed9403b72d16c2f9b1",
}


def fixture(suffix: str) -> Path:
    """Return a file of the public build; the test is skipped without it, and says so."""
    folder = os.environ.get("ATOTA_TEST_MCUBOOT", "")
    if not folder or shutil.which("qemu-system-arm") is None:
        pytest.skip("real MCUboot was not tried: qemu-system-arm or ATOTA_TEST_MCUBOOT is missing")
    path = Path(folder) / (_NAME + suffix)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == _DIGESTS[suffix]
    return path


@contextlib.contextmanager
def recovery() -> Iterator[str]:
    """Run MCUboot with an empty slot; the value is its port, ``socket://HOST:PORT``."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        *("qemu-system-arm", "-cpu", "cortex-m3", "-machine", "mps2-an385", "-nographic"),
        *("-chardev", f"socket,id=con,host=127.0.0.1,port={port},server=on,wait=off"),
        *("-serial", "chardev:con", "-serial", "null", "-monitor", "none"),
        *("-device", f"loader,file={fixture('.hex')}"),
    ]
    machine = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        _wait_for(port)
        yield f"socket://127.0.0.1:{port}"
    finally:
        machine.terminate()
        machine.wait(timeout=10)


def _wait_for(port: int) -> None:
    """Wait until the port can be opened, at most ten seconds."""
    for _ in range(100):
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.1)
    pytest.fail("QEMU does not open its port")
