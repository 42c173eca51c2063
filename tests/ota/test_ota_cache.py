"""The cache: one fetch for many, nothing trusted that was not hashed, clear words when the disk will not."""

import errno
import multiprocessing
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from atota.clock import SimulatedClock, StopToken, SystemClock
from atota.errors import ConfigError, Interrupted, LimitReached
from atota.ota.base import Capabilities, Part, Task
from atota.ota.cache import SAVE_EVERY, STALE_S, Cache, Entry, PartFile, ThreadLocks, disk_error
from atota.ota.download import fetch
from atota.values import Digests

DATA = bytes(range(256)) * 2000
DIGESTS = Digests.of(DATA)


@pytest.fixture
def entry(tmp_path: Path) -> Entry:
    return Cache(tmp_path / "deep" / "cache").entry(DIGESTS.md5, DIGESTS.size)


def test_a_finished_part_becomes_the_package_and_leaves_nothing_else(entry: Entry) -> None:
    with entry.held(SimulatedClock()), PartFile(entry) as part:
        part.take(DATA)
        assert part.finish()
    assert entry.verified() == DIGESTS
    assert sorted(p.suffix for p in entry.folder.iterdir()) == [".lock", ".pkg"]


def test_a_part_that_is_not_the_package_is_dropped(entry: Entry) -> None:
    with PartFile(entry) as part:
        part.take(DATA[:-1] + b"!")
        assert not part.finish()
        assert part.done == 0
    assert entry.verified() is None


def test_a_package_that_rotted_on_the_disk_is_not_handed_out(entry: Entry) -> None:
    entry.path.write_bytes(DATA[:-1] + b"!")
    assert entry.verified() is None
    assert not entry.path.exists()


def test_what_was_noted_down_is_resumed_and_no_more(entry: Entry) -> None:
    with PartFile(entry) as part:
        part.take(DATA[:1000])
    with entry.part_path.open("ab") as file:
        file.write(b"bytes of a write that was never noted down")
    with PartFile(entry) as part:
        assert part.done == 1000
        part.take(DATA[1000:])
        assert part.finish()
    assert entry.verified() == DIGESTS


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"{",
        b'{"done":1000,"sha256":"00"}',
        b'{"done":-5,"sha256":""}',
        b'{"done":99999999,"sha256":""}',
        b"[" * 9999,
    ],
)
def test_a_note_that_does_not_fit_the_part_is_not_believed(entry: Entry, note: bytes) -> None:
    with PartFile(entry) as part:
        part.take(DATA[:1000])
    entry.state_path.write_bytes(note)
    with PartFile(entry) as part:
        assert part.done == 0


def test_a_part_whose_beginning_changed_is_not_believed(entry: Entry) -> None:
    with PartFile(entry) as part:
        part.take(DATA[:1000])
    entry.part_path.write_bytes(b"x" + DATA[1:1000])
    with PartFile(entry) as part:
        assert part.done == 0


def test_a_kill_costs_no_more_than_the_last_stretch(entry: Entry) -> None:
    part = PartFile(entry).__enter__()
    part.take(DATA[:SAVE_EVERY])
    part.take(DATA[SAVE_EVERY : SAVE_EVERY + 100])
    copy = Cache(entry.folder / "after-the-kill").entry(entry.md5, entry.size)
    copy.part_path.write_bytes(entry.part_path.read_bytes())
    copy.state_path.write_bytes(entry.state_path.read_bytes())
    part.__exit__(None, None, None)
    with PartFile(copy) as resumed:
        assert resumed.done == SAVE_EVERY


# -- the lock ------------------------------------------------------------------------------------


def test_a_holder_that_does_not_move_is_given_up_on(entry: Entry) -> None:
    clock = SimulatedClock()
    waits: list[str] = []
    with entry.held(clock):
        second = entry.held(clock, on_wait=lambda why, seconds: waits.append(why))
        with pytest.raises(LimitReached, match="makes no progress"), second:
            raise AssertionError
        assert clock.monotonic() == pytest.approx(STALE_S, abs=1)
    assert len(waits) == 1
    with entry.held(clock):  # given back, and the loser took nothing with it
        pass


def test_a_holder_that_moves_is_waited_for(entry: Entry) -> None:
    class Busy(SimulatedClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            if self.monotonic() < 2 * STALE_S and int(self.monotonic()) % 100 == 0:
                with entry.part_path.open("ab") as file:
                    file.write(b"x")

    clock = Busy()
    with entry.held(clock), pytest.raises(LimitReached), entry.held(clock):
        raise AssertionError
    assert clock.monotonic() > 2.5 * STALE_S


def test_a_stop_ends_the_wait_for_the_lock(entry: Entry) -> None:
    stop = StopToken()
    second = entry.held(SimulatedClock(), stop, lambda why, seconds: stop.set())
    with entry.held(SimulatedClock()), pytest.raises(Interrupted), second:
        raise AssertionError


def _hold(folder: Path, held: Event) -> None:
    with Cache(folder).entry(DIGESTS.md5, DIGESTS.size).held(SystemClock()):
        held.set()
        threading.Event().wait()


def test_a_killed_process_leaves_no_lock(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    held = context.Event()
    process = context.Process(target=_hold, args=(tmp_path, held))
    process.start()
    try:
        assert held.wait(30)
        entry = Cache(tmp_path).entry(DIGESTS.md5, DIGESTS.size)
        with pytest.raises(LimitReached), entry.held(SimulatedClock()):
            raise AssertionError
    finally:
        process.kill()
        process.join()
        process.close()
    with entry.held(SimulatedClock()):
        pass


class Source:
    """A platform that counts its downloads."""

    capabilities = Capabilities(needs_token_check=True)

    def __init__(self, lanes: int) -> None:
        self.opened = 0
        self.tokens = 0
        self._all_here = threading.Barrier(lanes, timeout=30)

    def check_token(self, dev_id: str, token: str) -> None:
        self.tokens += 1
        self._all_here.wait()

    @contextmanager
    def open_package(self, task: Task, first: int = 0, *, bare_range: bool = False) -> Iterator[Part]:
        self.opened += 1
        chunks = (DATA[at : at + 1000] for at in range(first, len(DATA), 1000))
        yield Part(partial=False, content_range=None, length=len(DATA), chunks=chunks)


def test_several_lanes_fetch_a_package_once(tmp_path: Path) -> None:
    source = Source(lanes=4)
    found: list[Digests] = []

    def lane(number: int) -> None:
        task = Task(target="V", token=f"ota_lane{number}", size=DIGESTS.size, md5=DIGESTS.md5)
        found.append(fetch(source, task, str(number), Cache(tmp_path), clock=SystemClock()).digests)

    threads = [threading.Thread(target=lane, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [DIGESTS] * 4
    assert source.opened == 1
    assert source.tokens == 4


# -- the disk ------------------------------------------------------------------------------------


def test_a_full_disk_is_said_and_the_part_is_kept(entry: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    with PartFile(entry) as part:
        part.take(DATA[:1000])

    def full(data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(LimitReached, match="disk is full") as caught, PartFile(entry) as part:
        monkeypatch.setattr(part._hasher, "update", full)
        part.take(DATA[1000:2000])
    assert str(entry.folder) in str(caught.value)
    with PartFile(entry) as part:
        assert part.done == 1000


@pytest.mark.skipif(sys.platform == "win32", reason="no file size limit to hit")
def test_a_write_that_the_system_refuses_is_said_and_what_was_there_is_kept(entry: Entry) -> None:
    import resource

    with PartFile(entry) as part:
        part.take(DATA[:1000])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(LimitReached, match="does not fit"), PartFile(entry) as part:
            part.take(DATA[1000:])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    with PartFile(entry) as part:
        assert part.done == 1000
        part.take(DATA[1000:])
        assert part.finish()
    assert entry.verified() == DIGESTS


def test_other_trouble_of_the_folder_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cache folder"):
        Cache(tmp_path / "file").entry("0" * 32, 1)
    assert isinstance(disk_error(PermissionError(errno.EACCES, "Permission denied"), tmp_path), ConfigError)
    assert isinstance(disk_error(OSError(errno.ENOSPC, "full"), tmp_path), LimitReached)


def test_the_default_folder_is_the_users_cache() -> None:
    assert "atota" in Cache().folder.parts


def test_threads_share_the_locks_that_their_caches_are_given(tmp_path: Path) -> None:
    clock, path = SimulatedClock(), tmp_path / "a.lock"
    locks = ThreadLocks()
    assert locks.take(path, lambda: True)
    assert not locks.take(path, pytest.fail)
    assert ThreadLocks().take(path, lambda: True)
    locks.release(path)
    assert not locks.take(path, lambda: False)
    assert locks.take(path, lambda: True)
    first, second = (Cache(tmp_path, locks).entry("0" * 32, 1) for _ in range(2))
    stop = StopToken()
    stop.set()
    with first.held(clock), pytest.raises(Interrupted), second.held(clock, stop):
        pass
