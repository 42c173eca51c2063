"""The two engines that make inputs: hypothesis, and atheris leading hypothesis where it is installed.

Both run one test: a real input of the target, changed in a few places (`inputs`). Hypothesis draws the
changes at random and shrinks an input that breaks the promise; atheris draws them by the code they reach.
"""

import importlib.util
import os
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

from scripts.fuzz_parts.target import Target

_SAY_S = 60.0
_BATCH = 500  # inputs of one run of hypothesis; between two, the time is looked at
_LONGEST_CUT = 200
_EDITS = 6
_NUMBERS = (b"0", b"-1", b"00", b"99", b"255", b"65536", b"4294967296", b"9" * 19, b"1" * 4400, b"1e9")
HANG_S = 20.0  # of CPU time, for one input of a few hundred bytes
HAVE_ATHERIS = importlib.util.find_spec("atheris") is not None


class Hang(BaseException):
    """One input took longer than the limit."""


class Failure(Exception):
    """An input that breaks the promise, and the error that shows it."""

    def __init__(self, target: Target, data: bytes, error: BaseException) -> None:
        super().__init__(f"{type(error).__name__}: {error}"[:500])
        self.target = target
        self.data = data
        self.error = error

    @property
    def report(self) -> str:
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
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", FutureWarning)  # of `re`, about patterns that people write
            target.check(data)
    except (Exception, Hang, SystemExit) as error:
        raise Failure(target, data, error) from error


@contextmanager
def limited() -> Iterator[Callable[[], None]]:
    """Turn endless work into `Hang`; call the function that it yields before each input."""

    def hang(*_: object) -> NoReturn:
        raise Hang(f"more than {HANG_S:g} s of CPU time")

    def begin() -> None:
        signal.setitimer(signal.ITIMER_VIRTUAL, HANG_S)

    if not hasattr(signal, "setitimer"):
        yield lambda: None
        return
    before = signal.signal(signal.SIGVTALRM, hang)
    try:
        yield begin
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


class Tally:
    """The count of inputs, and the limits of a hunt."""

    def __init__(self, runs: int | None, seconds: float | None) -> None:
        self.count = 0
        self._runs = runs
        self._start = time.monotonic()
        self._next = self._start + _SAY_S
        self._end = None if seconds is None else self._start + seconds

    @property
    def is_over(self) -> bool:
        """True if there were inputs enough, or they took long enough."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _SAY_S
            print(f"… {self.count:,} inputs", file=sys.stderr, flush=True)
        return self.remaining == 0 or (self._end is not None and now >= self._end)

    @property
    def remaining(self) -> int | None:
        """The inputs still to try; None: as many as the time allows."""
        return None if self._runs is None else max(0, self._runs - self.count)

    def summary(self, name: str, engine: str) -> str:
        """Return one line for people."""
        seconds = max(1e-9, time.monotonic() - self._start)
        return f"{name}: {self.count:,} inputs in {seconds:.1f} s ({self.count / seconds:,.0f}/s, {engine})"


def first_inputs(target: Target) -> list[bytes]:
    """Return the inputs to start from: nothing, and the target's own."""
    return [b"", *(data[: target.longest] for data in target.seeds())]


def inputs(target: Target) -> st.SearchStrategy[bytes]:
    """Make inputs: a seed with a few parts replaced by words, numbers, noise or another seed."""
    seeds = first_inputs(target)
    pieces = st.sampled_from(
        [b"", *target.words(), *_NUMBERS, *seeds, *(bytes([byte]) for byte in range(256))]
    )
    edits = st.lists(
        st.tuples(st.integers(0, target.longest), st.integers(0, _LONGEST_CUT), pieces), max_size=_EDITS
    )

    def changed(data: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
        for position, length, piece in changes:
            first = position % (len(data) + 1)
            data = data[:first] + piece + data[first + length :]
        return data[: target.longest]

    return st.builds(changed, st.sampled_from(seeds), edits)


def built_in(target: Target, tally: Tally, seed: int) -> None:
    """Try the seeds, then inputs that hypothesis makes of them.

    Raises:
        Failure: one breaks the promise; it is the shortest that was found.
    """
    with limited() as begin:

        def one(data: bytes) -> None:
            begin()
            tally.count += 1
            attempt(target, data)

        for data in first_inputs(target):
            if tally.is_over:
                return
            one(data)
        strategy = inputs(target)
        while not tally.is_over:
            size = min(_BATCH, tally.remaining or _BATCH)
            before = tally.count
            options = settings(
                max_examples=size,
                database=None,
                deadline=None,
                phases=(Phase.generate, Phase.shrink),
                report_multiple_bugs=False,
                suppress_health_check=list(HealthCheck),
            )
            seeded(f"{seed} {tally.count}")(options(given(strategy)(one)))()
            tally.count = before + size  # hypothesis tries a few more, and fewer where it has seen all


def led(target: Target, tally: Tally, seed: int) -> NoReturn:
    """Let atheris choose the inputs; this ends the process, 0 if all went well, 1 if not."""
    import atheris

    def end(text: str, code: int) -> NoReturn:
        print(text, flush=True)
        sys.stderr.flush()
        os._exit(code)

    with limited() as begin:

        def one(data: bytes) -> None:
            begin()
            try:
                attempt(target, data)
            except Failure as failure:
                end(failure.report, 1)
            tally.count += 1
            if tally.is_over:
                end(tally.summary(target.name, "atheris"), 0)

        for data in first_inputs(target):
            one(data)
        fuzzed = settings(database=None, deadline=None)(given(inputs(target))(one))
        options = (
            "-max_len=8192",
            "-len_control=0",
            f"-seed={seed + 1}",
            "-timeout=3600",
            "-verbosity=0",
            "-rss_limit_mb=0",
        )
        atheris.Setup([sys.argv[0], *options], fuzzed.hypothesis.fuzz_one_input)  # type: ignore[attr-defined]
        atheris.Fuzz()
    end("the engine stopped by itself", 1)
