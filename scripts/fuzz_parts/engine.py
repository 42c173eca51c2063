"""The two engines that make inputs: atheris where it is installed, else mutations of our own."""

import importlib.util
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from fuzz_parts.target import Target

_DIGITS = re.compile(rb"[0-9]+")
_SAY_S = 60.0
HANG_S = 20.0  # of CPU time, for one input of a few hundred bytes
HAVE_ATHERIS = importlib.util.find_spec("atheris") is not None


class Hang(BaseException):
    """One input took longer than anybody waits for."""


class Failure(Exception):
    """An input that breaks the promise, and how."""

    def __init__(self, target: Target, data: bytes, error: BaseException) -> None:
        super().__init__(f"{type(error).__name__}: {error}"[:500])
        self.target = target
        self.data = data
        self.error = error

    @property
    def told(self) -> str:
        """The failure for people, with the command that repeats it."""
        trace = "".join(traceback.format_exception(self.error))
        return (
            f"{trace}\nFAILED {self.target.name}: {self}\n"
            f"  promise: {self.target.promise}\n"
            f"  input: {self.data!r}\n"
            f"  repeat: scripts/fuzz {self.target.name} --input {self.data.hex() or repr('')}"
        )


def attempt(target: Target, data: bytes) -> None:
    """Try one input.

    Raises:
        Failure: it breaks the promise.
    """
    try:
        target.check(data)
    except (Exception, Hang, SystemExit) as error:
        raise Failure(target, data, error) from error


@contextmanager
def guarded() -> Iterator[Callable[[], None]]:
    """Turn warnings into errors, and endless work into `Hang`; call what it gives before each input."""

    def hang(*_: object) -> NoReturn:
        raise Hang(f"more than {HANG_S:g} s of CPU time")

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", FutureWarning)  # of `re`, about patterns that people write
        if not hasattr(signal, "setitimer"):
            yield lambda: None
            return
        before = signal.signal(signal.SIGVTALRM, hang)
        try:
            yield lambda: _ignore(signal.setitimer(signal.ITIMER_VIRTUAL, HANG_S))
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            signal.signal(signal.SIGVTALRM, before)


def _ignore(_: object) -> None:
    return None


class Tally:
    """Counts inputs and knows when it is enough."""

    def __init__(self, runs: int | None, seconds: float | None) -> None:
        self.count = 0
        self._runs = runs
        self._start = time.monotonic()
        self._next = self._start + _SAY_S
        self._end = None if seconds is None else self._start + seconds

    @property
    def over(self) -> bool:
        """Whether there were inputs enough, or it took long enough."""
        if self._runs is not None and self.count >= self._runs:
            return True
        if self.count % 16:
            return False
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _SAY_S
            print(f"… {self.count:,} inputs", file=sys.stderr, flush=True)
        return self._end is not None and now >= self._end

    def told(self, name: str, engine: str) -> str:
        """One line for people."""
        seconds = max(1e-9, time.monotonic() - self._start)
        return f"{name}: {self.count:,} inputs in {seconds:.1f} s ({self.count / seconds:,.0f}/s, {engine})"


def built_in(target: Target, tally: Tally, seed: int) -> None:
    """Try mutations of the seeds, first the seeds themselves.

    Raises:
        Failure: one breaks the promise.
    """
    maker = Mutator(target, seed)
    with guarded() as begin:
        for data in maker:
            if tally.over:
                return
            begin()
            attempt(target, data)
            tally.count += 1


class Mutator:
    """Makes inputs of other inputs; the same ones for the same seed."""

    def __init__(self, target: Target, seed: int) -> None:
        self._random = random.Random(f"{target.name} {seed}")  # noqa: S311 - no secrets
        self._seeds = [data[: target.longest] for data in target.seeds()] or [b""]
        self._words = list(target.words()) or [b"\0"]
        self._longest = target.longest
        self._ways = (self._flip, self._byte, self._word, self._cut, self._double, self._splice, self._number)

    def __iter__(self) -> Iterator[bytes]:
        yield b""
        yield from self._seeds
        choose = self._random
        while True:
            data = choose.choice(self._seeds) if choose.random() < 0.97 else self._noise()
            for _ in range(1 + min(choose.getrandbits(4), choose.getrandbits(4))):
                data = choose.choice(self._ways)(data)
            yield data[: self._longest]

    def _noise(self) -> bytes:
        return self._random.randbytes(self._random.randrange(1, 64))

    def _place(self, data: bytes) -> int:
        return self._random.randrange(len(data) + 1)

    def _flip(self, data: bytes) -> bytes:
        if not data:
            return b"\0"
        at = self._random.randrange(len(data))
        return data[:at] + bytes([data[at] ^ 1 << self._random.randrange(8)]) + data[at + 1 :]

    def _byte(self, data: bytes) -> bytes:
        at = self._place(data)
        return data[:at] + self._random.randbytes(1) + data[at + self._random.randrange(2) :]

    def _word(self, data: bytes) -> bytes:
        at, word = self._place(data), self._random.choice(self._words)
        if self._random.random() < 0.1:
            word *= self._random.choice((2, 3, 17, 100))
        return data[:at] + word + data[at + self._random.choice((0, 0, len(word), 1)) :]

    def _cut(self, data: bytes) -> bytes:
        first, last = sorted((self._place(data), self._place(data)))
        return data[:first] + data[last:] if self._random.random() < 0.5 else data[:first]

    def _double(self, data: bytes) -> bytes:
        first, last = sorted((self._place(data), self._place(data)))
        return data[:last] + data[first:last] * self._random.choice((1, 1, 1, 2, 9)) + data[last:]

    def _splice(self, data: bytes) -> bytes:
        other = self._random.choice(self._seeds)
        return data[: self._place(data)] + other[self._place(other) :]

    def _number(self, data: bytes) -> bytes:
        """Put a number of an awkward size where one stands, or anywhere."""
        numbers = (b"0", b"-1", b"00", b"99", b"255", b"65536", b"4294967296", b"9" * 19, b"1" * 4400, b"1e9")
        found = _DIGITS.search(data, self._place(data))
        at, end = found.span() if found is not None else (len(data), len(data))
        return data[:at] + self._random.choice(numbers) + data[end:]


def led(target: Target, tally: Tally, seed: int) -> NoReturn:
    """Let atheris choose the inputs; this ends the process, 0 if all went well, 1 if not."""
    import atheris

    folder = tempfile.mkdtemp(prefix="atota-fuzz-")
    _write_seeds(target.seeds(), Path(folder))
    words = Path(folder) / "words"
    words.write_text(_as_dictionary(target.words()), encoding="ascii")

    def end(text: str, code: int) -> NoReturn:
        shutil.rmtree(folder, ignore_errors=True)
        print(text, flush=True)
        sys.stderr.flush()
        os._exit(code)

    with guarded() as begin:

        def one(data: bytes) -> None:
            begin()
            try:
                attempt(target, data)
            except Failure as failure:
                end(failure.told, 1)
            tally.count += 1
            if tally.over:
                end(tally.told(target.name, "atheris"), 0)

        options = (
            f"-max_len={target.longest}",
            f"-seed={seed + 1}",
            "-timeout=3600",
            "-verbosity=0",
            "-rss_limit_mb=0",
        )
        atheris.Setup([sys.argv[0], *options, f"-dict={words}", f"{folder}/seeds"], one)
        atheris.Fuzz()
    end("the engine stopped by itself", 1)


def _write_seeds(seeds: Sequence[bytes], folder: Path) -> None:
    (folder / "seeds").mkdir()
    for number, data in enumerate(seeds):
        (folder / "seeds" / f"{number}").write_bytes(data)


def _as_dictionary(words: Sequence[bytes]) -> str:
    """The words as libFuzzer reads them."""
    lines = (
        "".join(f"\\x{byte:02x}" for byte in word) for word in dict.fromkeys(words) if 0 < len(word) <= 64
    )
    return "".join(f'"{line}"\n' for line in lines)
