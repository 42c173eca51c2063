"""Many lanes decode the same types at the same time; the library under it cannot take that by itself."""

import subprocess
import sys

_MANY_LANES = """
import sys, threading, msgspec
from atota.files import prepared

sys.setswitchinterval(1e-6)
for turn in range(60):
    inner = msgspec.defstruct(f"Inner{turn}", [(f"f{n}", "int | None", None) for n in range(30)])
    outer = msgspec.defstruct(f"Outer{turn}", [(f"g{n}", list[inner], []) for n in range(10)])
    start = threading.Barrier(6)
    results = []

    def lane():
        start.wait()
        results.append(msgspec.json.decode(b'{"g0": [{"f0": 1}]}', type=prepared(outer)))

    threads = [threading.Thread(target=lane) for _ in range(6)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert [result.g0[0].f0 for result in results] == [1] * 6
print("fine")
"""


def test_six_lanes_may_decode_into_a_new_type_at_once() -> None:
    """In a process of its own: what this guards against ends the process, not the test."""
    ended = subprocess.run([sys.executable, "-c", _MANY_LANES], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout.strip()) == (0, "fine"), ended.stderr
