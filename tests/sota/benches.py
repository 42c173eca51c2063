"""A chip on a pty whose application tells its version, and programs that write its flash."""

import os
import select
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.ptys import Pty

HEAD = """
import os, sys, time
port, package, flash, percent = sys.argv[1:5]
"""
GOOD = """
fd = os.open(port, os.O_RDWR)
data = open(package, "rb").read()
for done in (10, 50, 100):
    print(f"Wrote ({done}.00%)", flush=True)
open(flash, "wb").write(data)
print("Done")
"""


class PtyChip:
    """A chip whose flash is a file: the version that its application tells is the text in it."""

    def __init__(self, folder: Path, version: str = "V1.0") -> None:
        self.pty = Pty()
        self.flash = folder / "flash.bin"
        self.flash.write_text(version)
        self.is_silent = False
        self._folder = folder
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._answer, daemon=True)
        self._thread.start()

    def _answer(self) -> None:
        heard = b""
        while not self._is_over.is_set():
            if not select.select([self.pty.master], [], [], 0.02)[0]:
                continue
            heard += os.read(self.pty.master, 1024)
            if heard.endswith(b"AT+VER\r\n"):
                heard = b""
                if not self.is_silent:
                    os.write(self.pty.master, b"VER:" + self.flash.read_bytes() + b"\r\n")

    def close(self) -> None:
        self._is_over.set()
        self._thread.join()
        self.pty.close()

    def board(self, script: str, more: str = "") -> Path:
        """Make a board file whose program is a Python script."""
        program = self._folder / "program.py"
        program.write_text(HEAD + script)
        board = self._folder / "board.toml"
        board.write_text(
            'name = "bench-other"\nmodel = "其他"\n[chip]\nprotocol = "tool"\n'
            f'flash = ["{sys.executable}", "{program}", "{{port}}", "{{package}}", "{self.flash}", "x"]\n'
            r"""percent = '\(([0-9.]+)%\)'"""
            f"\n{more}\n"
            r"""version = { send = "AT+VER\r\n", expect = 'VER:(\S+)', within_s = 1 }"""
            "\n"
        )
        return board


@contextmanager
def pty_chip(folder: Path, version: str = "V1.0") -> Iterator[PtyChip]:
    """Make a chip, and close it at the end."""
    chip = PtyChip(folder, version)
    try:
        yield chip
    finally:
        chip.close()
