"""A program that a board file names: pyocd, openocd, dfu-util, a vendor's own.

Its exit code and its output can only fail the write; success is the version that the application tells.
"""

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from atota.errors import SlotLost
from atota.sota.flasher import Flasher, Progress
from atota.sota.lending import is_device, lent_port
from atota.sota.program import Ear, Ended, find_program, run_program
from atota.values import Refusal


class Tool(Flasher):
    """The runner of a program that writes the chip."""

    may_run = True
    """The program may start the application by itself."""

    @property
    def validates(self) -> bool:
        """True if the board file names a program that reads back."""
        return self.chip.verify is not None

    @property
    def needs_entry(self) -> bool:
        """False: the program enters the bootloader, unless the board file has steps for it."""
        return False

    def unfit(self) -> Refusal | None:
        """Return why the program cannot be run: it is missing, or cannot open such a port."""
        for arguments in (self.chip.flash, self.chip.verify):
            if arguments and find_program(arguments[0]) is None:
                return Refusal(
                    f"the program {arguments[0]} is not installed",
                    "Install it, or correct its name in [chip] of the board file. Nothing was changed.",
                )
        if not (self.chip.urls or is_device(self.wire.port) or not self._names_port):
            return Refusal(
                f"{Path((self.chip.flash or ('',))[0]).name} opens devices only, and the port is a URL",
                "Name a device with -p, or set urls = true in [chip] if the program opens socket:// itself.",
            )
        return None

    def tools(self) -> str:
        """Return the path of each program."""
        programs = (find_program(words[0]) for words in (self.chip.flash, self.chip.verify) if words)
        return ", ".join(path for path in programs if path is not None)

    @property
    def _names_port(self) -> bool:
        return any("{port}" in argument for argument in (*(self.chip.flash or ()), *(self.chip.verify or ())))

    def write(self, package: Path, data: bytes, on_progress: Progress) -> None:
        """Run the program that writes.

        Raises:
            WriteFailed: its exit code or its output says that it failed.
        """
        self.has_erased = True
        self._package, self._data = package, data

        def on_percent(percent: float) -> None:
            on_progress(min(len(data), int(len(data) * percent / 100)), len(data))

        with self._folder() as folder:
            ended = self._run(self.chip.flash or (), folder, on_percent)
        why = self._problem(ended)
        if why is not None:
            self.state_words = f"{Path((self.chip.flash or ('',))[0]).name}: {why}"
            raise self.failure(self.state_words, ended.last_lines)
        on_progress(len(data), len(data))

    def validate(self) -> None:
        """Run the program that reads back, and compare.

        Raises:
            WriteFailed: it failed.
            SlotLost: the flash holds something else than the package.
        """
        with self._folder() as folder:
            ended = self._run(self.chip.verify or (), folder, lambda _: None)
            why = self._problem(ended, is_reading=True)
            if why is not None:
                raise self.failure(f"{Path((self.chip.verify or ('',))[0]).name}: {why}", ended.last_lines)
            if any("{readback}" in argument for argument in self.chip.verify or ()):
                back = folder / "readback.bin"
                read = back.read_bytes() if back.is_file() else b""
                if read[: len(self._data)] != self._data:
                    raise SlotLost(
                        "the flash does not hold the package: the bytes that were read back differ",
                        hint=self.failure("").hint,
                    )

    @contextmanager
    def _folder(self) -> Iterator[Path]:
        """Make a folder with a private copy of the package, and an empty one in it to run in."""
        with tempfile.TemporaryDirectory(prefix="atota-") as name:
            folder = Path(name)
            (folder / "empty").mkdir()
            copy = folder / f"package{self._package.suffix}"
            shutil.copyfile(self._package, copy)
            copy.chmod(0o400)
            yield folder

    def _run(self, arguments: tuple[str, ...], folder: Path, on_percent: Callable[[float], None]) -> Ended:
        with lent_port(self.wire, urls=bool(self.chip.urls)) if self._names_port else _not_lent() as port:
            values = {
                "port": port,
                "package": str(folder / f"package{self._package.suffix}"),
                "readback": str(folder / "readback.bin"),
                "size": str(len(self._data)),
                "address": f"0x{self.chip.address or 0:08x}",
                "baud": str(self.chip.baud),
            }
            filled = [re.sub(r"\{(\w+)\}", lambda match: values[match[1]], text) for text in arguments]
            filled[0] = find_program(filled[0]) or filled[0]
            return run_program(
                filled,
                folder=folder / "empty",
                limit_s=self.chip.limit_s or 300.0,
                quiet_s=self.chip.quiet_s or 60.0,
                check=self.wire.check,
                on_line=Ear(Path(filled[0]).name, self.on_line, self.chip.percent, on_percent),
            )

    def _problem(self, ended: Ended, *, is_reading: bool = False) -> str | None:
        """Return why a run counts as failed; None if nothing says so."""
        for pattern in self.chip.fail or ():
            if (match := re.search(pattern, ended.text, re.MULTILINE)) is not None:
                line = next((line for line in ended.lines if match[0] in line), match[0])
                return f"it says: {line}"
        if self.chip.ok and ended.code not in self.chip.ok:
            return f"it ended with exit code {ended.code}: {ended.last}"
        if self.chip.need and not is_reading and re.search(self.chip.need, ended.text, re.MULTILINE) is None:
            return f"its output does not say {self.chip.need!r}: {ended.last}"
        return None


@contextmanager
def _not_lent() -> Iterator[str]:
    """Leave the port open: the program writes by another way, such as a debug probe."""
    yield ""
