"""A second kind of target, and a second platform: a chip in memory without AT, and a shelf of packages.

They prove the two seams of a job (`atota.update.target`, `atota.ota.base`).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from atota.clock import Clock, Deadline, SimulatedClock, StopToken
from atota.errors import AtotaError, Interrupted, LinkLost, OldVersion, WriteFailed
from atota.link.ports import PortInfo
from atota.link.state import LineState
from atota.ota.base import Capabilities, CheckQuery, Part, Task
from atota.settings.spec import Allowed, JobSpec
from atota.values import Digests, Identity, MethodChoice, Refusal, TaskType, Versions

OLD, NEW = "CHIP-1.0", "CHIP-1.1"
PACKAGE = bytes(range(256)) * 16
BLOCK = 256
LOCK = "lock the chip again"


class Killed(BaseException):
    """The process is gone."""


class Chip:
    """A chip, as it truly is: it outlives the processes that update it.

    Attributes:
        faults: by call, what strikes there next; an exception, or an action.
        starts: for each start, True if the slot held the whole package.
        ignores_starts: starts that are lost without a word.
        is_faulty: an update ends with the old version.
        starts_itself: it updates as soon as its slot is whole.
    """

    def __init__(self) -> None:
        self.version = OLD
        self.slot = b""
        self.is_locked = True
        self.has_booted = False
        self.is_gone = False
        self.starts: list[bool] = []
        self.ignores_starts = 0
        self.is_faulty = False
        self.starts_itself = False
        self.refusal: Refusal | None = None
        self.faults: dict[str, list[BaseException | Callable[[], object]]] = {}
        self.calls: list[str] = []

    def strike(self, call: str) -> None:
        """Do what goes wrong in this call."""
        self.calls.append(call)
        if self.is_gone:
            raise LinkLost("the port is gone")
        for fault in self.faults.get(call, [])[:1]:
            self.faults[call].remove(fault)
            if isinstance(fault, BaseException):
                raise fault
            fault()

    def start(self) -> None:
        """Carry the update out."""
        if self.ignores_starts:
            self.ignores_starts -= 1
            return
        self.starts.append(self.slot == PACKAGE)
        self.has_booted = True
        if not self.is_faulty:
            self.version = NEW


class ChipRestart:
    """One restart of the chip."""

    def __init__(self, chip: Chip, expected: str) -> None:
        self._chip, self._expected = chip, expected

    @property
    def has_update_cause(self) -> bool:
        return self._chip.has_booted

    def wait(self) -> None:
        self._chip.strike("wait")

    def confirm(self) -> Versions:
        self._chip.strike("confirm")
        if self._chip.version != self._expected:
            raise OldVersion(f"the chip runs {self._chip.version}")
        return Versions(version=self._chip.version)


class ChipTarget:
    """The chip, as one process has it open."""

    adapter: PortInfo | None = None
    needs_address = False
    has_method = True
    can_start_before_activate = False
    block: int | None = None
    may_turn_down = False
    overwrites = False
    blocks = retries = boots = 0
    longest_silence_s = 0.0

    def __init__(self, chip: Chip, clock: Clock, stop: StopToken) -> None:
        self.limit: Deadline | None = None
        self.weights = {"write": 1.0}
        self.clock = clock
        self._chip, self._stop = chip, stop
        self.starts_itself = chip.starts_itself
        self.can_start_before_activate = chip.starts_itself
        self.streams = self.validates = not chip.starts_itself

    def close(self) -> None: ...

    def checkpoint(self) -> None:
        if self._stop.is_set:
            raise Interrupted("stopped by the user")

    def identify(self) -> Identity:
        self._chip.strike("identify")
        return Identity(
            model="CHIP", imei="490154203237518", version=self._chip.version, revision=self._chip.version
        )

    def refusal(self, _allowed: Allowed) -> Refusal | None:
        return self._chip.refusal

    def package_refusal(self, _allowed: Allowed, *, is_delta: bool) -> Refusal | None:
        return None

    def unreadable(self, _expected: str) -> Refusal | None:
        return None

    def choose(self, block: int | None = None) -> MethodChoice:
        return MethodChoice(dialect="chip", digest="0" * 64, method="pages", block=BLOCK, window_s=0.0)

    def probe(self) -> None: ...

    def set_url(self, url: str) -> None:
        raise AssertionError(f"the chip fetches nothing: {url}")

    def check(self, _package: Path, _version: str) -> None: ...

    def watch_line(self, known: LineState | None, on_change: Callable[[LineState], None]) -> None:
        on_change(known or LineState(rate=115200))

    def prepare(
        self,
        package: Path,
        written: int,
        *,
        undo: tuple[str, ...],
        on_undo_changed: Callable[[tuple[str, ...]], None],
    ) -> int:
        self._chip.strike("prepare")
        if LOCK not in undo:
            on_undo_changed((*undo, LOCK))
        self._chip.is_locked = False
        if self._chip.starts_itself:
            self._chip.slot = PACKAGE
            self._chip.start()
            return 0
        whole = written - written % BLOCK
        if not whole or self._chip.slot[:whole] != package.read_bytes()[:whole]:
            whole = 0
        self._chip.slot = self._chip.slot[:whole]
        return whole

    def write(self, package: Path, on_progress: Callable[[int, int], None]) -> str | None:
        data = package.read_bytes()
        for first in range(len(self._chip.slot), len(data), BLOCK):
            self.checkpoint()
            self._chip.strike("write")
            self._chip.slot += data[first : first + BLOCK]
            self.clock.sleep(1.0)
            on_progress(len(self._chip.slot), len(data))
        return Digests.of(data).sha256

    def validate(self) -> None:
        self._chip.strike("validate")
        if self._chip.slot != PACKAGE:
            raise WriteFailed("the slot is not valid")

    def activate(self) -> bool:
        self._chip.strike("activate")
        is_heard = not self._chip.ignores_starts
        if not self._chip.starts_itself:
            self._chip.start()
        return is_heard

    def restart(
        self,
        printed_before: Versions,
        expected: str,
        *,
        limit_s: float | None,
        is_certain: bool,
        on_percent: Callable[[int], None],
    ) -> ChipRestart:
        on_percent(100)
        return ChipRestart(self._chip, expected)

    def find(self) -> None:
        self._chip.strike("find")

    def recover(self, lost: AtotaError) -> None:
        self._chip.slot = b""
        self.reconnect(lost)

    def reconnect(self, _lost: AtotaError) -> None:
        self._chip.strike("reconnect")

    def reset(self) -> None: ...

    def versions(self) -> Versions:
        return Versions(version=self._chip.version)

    def restore(self, undo: tuple[str, ...], *, close: bool) -> None:
        self._chip.strike(f"restore close={close}")
        self._chip.is_locked = LOCK in undo or self._chip.is_locked

    def keep_silent(self, window_s: float) -> None:
        raise AssertionError(f"the chip awaits no bytes: {window_s}")

    def await_return(self, _limit_s: float | None, _dialect: str | None) -> None:
        self._chip.strike("await_return")


class ChipOpener:
    """Opens the chip."""

    def __init__(self, chip: Chip) -> None:
        self._chip = chip

    def __call__(
        self,
        spec: JobSpec,
        *,
        clock: Clock | None,
        stop: StopToken,
        note: Callable[[str], None],
        warn: Callable[[str], None],
        on_urc: Callable[[str], None],
    ) -> ChipTarget:
        self._chip.strike("open")
        return ChipTarget(self._chip, clock or SimulatedClock(), stop)


class Shelf:
    """A platform with one package for one version. It has no tokens, states or codes."""

    server = "shelf://chips"
    capabilities = Capabilities(digests=("md5", "sha256"))

    def __init__(self) -> None:
        self.told: list[str] = []
        self.is_closed = False

    @property
    def _task(self) -> Task:
        return Task(target=NEW, token="none", size=len(PACKAGE), md5=Digests.of(PACKAGE).md5)

    def check(self, query: CheckQuery) -> Task | None:
        return None if query.version == NEW else self._task

    def dry_run(self, query: CheckQuery) -> dict[str, Any]:
        return {"url": f"{self.server}/{query.dev_id}"}

    def tasking(self, _dev_id: str, _task_type: TaskType = "fota", *, cdn: bool = False) -> Task | None:
        return self._task

    def check_token(self, dev_id: str, token: str) -> None: ...

    @contextmanager
    def open_package(self, task: Task, first: int = 0, *, bare_range: bool = False) -> Iterator[Part]:
        yield Part(partial=False, content_range=None, length=task.size, chunks=iter([PACKAGE]))

    def package_url(self, _task: Task) -> str:
        return f"{self.server}/package"

    def versions(self, _dev_id: str) -> None: ...

    def report_version(
        self, _dev_id: str, f_version: str | None = None, s_version: str | None = None
    ) -> None:
        self.told.append(f"version {f_version or s_version}")

    def report_step(self, _dev_id: str, _token: str, step: int) -> None:
        if step > 100:
            self.told.append(str(step))

    def close(self) -> None:
        self.is_closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
