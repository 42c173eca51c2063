"""Places: links by path and fixtures, learned keys, and the check of a station."""

import threading
from functools import partial
from pathlib import Path

import pytest

from atota.clock import Clock, SimulatedClock, StopToken, SystemClock
from atota.errors import ConfigError, Interrupted, LinkLost, PortBusy, UsageError
from atota.sim.link import SimLink
from atota.sim.modules import make_module
from atota.sim.options import Options
from atota.station.learn import (
    appearing,
    are_one_adapter,
    check_file,
    lane_numbers,
    tail_of,
    with_paths,
    write_paths,
)
from atota.station.sockets import LinkFolder, PortSocket

TAIL = "usb-0:1.2.1:1.0-port0"
NAME = f"pci-0000:00:14.0-{TAIL}"


def plug(folder: Path, name: str = NAME) -> None:
    """Make a link as udev does: a new one, to a device."""
    device = folder.parent / f"tty-{name}"
    device.touch()
    (folder / name).symlink_to(device)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "by-path"
    folder.mkdir()
    return folder


def socket_on(links: LinkFolder, tail: str = TAIL) -> PortSocket:
    def refuse(port: str) -> SimLink:
        raise LinkLost(port)

    return PortSocket(lambda: links.find(tail), refuse, SystemClock())


def test_an_adapter_is_found_by_the_end_of_its_path(folder: Path) -> None:
    links = LinkFolder(folder)
    place = socket_on(links)
    assert place.look() is None
    plug(folder)
    links.scan()
    seen = place.look()
    assert seen is not None
    assert seen[1] == str(folder / NAME)
    (folder / NAME).unlink()
    links.scan()
    assert place.look() is None


def test_a_replug_between_two_looks_gives_another_identity(folder: Path) -> None:
    links = LinkFolder(folder)
    place = socket_on(links)
    place.look()
    plug(folder)
    links.scan()
    before = place.look()
    (folder / NAME).unlink()
    (folder / "something-else").touch()  # so that the file system does not give the same inode again
    plug(folder)
    links.scan()
    after = place.look()
    assert before is not None
    assert after is not None
    assert before[0] != after[0]
    assert before[1] == after[1]


def test_the_end_of_a_longer_number_is_another_path(folder: Path) -> None:
    plug(folder, "pci-0000:00:14.0-usb-0:11.2.1:1.0-port0")
    links = LinkFolder(folder)
    links.scan()
    assert links.find("1.2.1:1.0-port0") is None


def test_between_two_adapters_with_one_end_nothing_is_guessed(folder: Path) -> None:
    plug(folder)
    plug(folder, f"pci-0000:05:00.0-{TAIL}")
    links = LinkFolder(folder)
    links.scan()
    assert links.find(TAIL) is None
    assert len(links.names_at(TAIL)) == 2


class Fixture:
    """A port that is always there, and a module that is put into it."""

    def __init__(self, *, speaks_at: bool = True) -> None:
        self.clock = SimulatedClock()
        self.is_in = self.is_taken = False
        self.place = PortSocket(
            lambda: ("fixture://1", "fixture://1"), self._open, self.clock, speaks_at=speaks_at
        )
        self._module = make_module("BC28", Options(baud=9600))

    def _open(self, port: str) -> "FixtureLink":
        if self.is_taken:
            raise PortBusy("minicom has it", hint="Close the other program.")
        return FixtureLink(self, SimLink(self._module, self.clock, baud=9600))

    def probe(self) -> None:
        self.clock.sleep(1.0)
        self.place.probe()


class FixtureLink:
    """A link that hears nothing while no module is in the fixture."""

    name = "fixture"

    def __init__(self, fixture: Fixture, link: SimLink) -> None:
        self._fixture = fixture
        self._link = link
        self.clock: Clock = fixture.clock

    @property
    def baud(self) -> int:
        return 9600

    def read(self, timeout_s: float) -> bytes:
        data = self._link.read(timeout_s)
        return data if self._fixture.is_in else b""

    def write(self, data: bytes) -> None:
        assert data == b"AT\r", "a fixture is asked nothing else"
        self._link.write(data)

    def set_baud(self, baud: int) -> None:
        raise AssertionError

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        raise AssertionError

    def close(self) -> None:
        self._link.close()


def test_a_module_in_a_fixture_is_seen_by_its_answer() -> None:
    fixture = Fixture()
    assert fixture.place.look() is None
    fixture.probe()
    assert fixture.place.look() is None
    fixture.is_in = True
    fixture.probe()
    assert fixture.place.look() == ("fixture://1#1", "fixture://1")


def test_three_missed_answers_are_a_removal_and_the_next_module_is_another() -> None:
    fixture = Fixture()
    fixture.place.look()
    fixture.is_in = True
    fixture.probe()
    fixture.is_in = False
    for _ in range(2):
        fixture.probe()
        assert fixture.place.look() is not None
    fixture.probe()
    assert fixture.place.look() is None
    fixture.is_in = True
    fixture.probe()
    assert fixture.place.look() == ("fixture://1#2", "fixture://1")


@pytest.mark.parametrize("verdict", ["failed", "station-error"])
def test_the_silence_of_a_module_that_a_job_has_not_passed_is_no_removal(verdict: str) -> None:
    """It is dead, or in a reboot: its verdict stays until it has answered again, or the operator says so."""
    fixture = Fixture()
    fixture.place.look()
    fixture.is_in = True
    fixture.probe()
    first = fixture.place.look()
    fixture.is_in = False
    fixture.place.take_state(verdict)
    for _ in range(60):
        fixture.probe()
        assert fixture.place.look() == first
    fixture.is_in = True
    fixture.probe()
    fixture.is_in = False
    for _ in range(3):
        assert fixture.place.look() == first
        fixture.probe()
    assert fixture.place.look() is None


def test_a_dead_module_is_out_once_the_operator_says_so(folder: Path) -> None:
    fixture = Fixture()
    fixture.place.look()
    fixture.is_in = True
    fixture.probe()
    fixture.is_in = False
    fixture.place.take_state("failed")
    assert fixture.place.clear()
    for _ in range(4):
        assert fixture.place.look() is None
        fixture.probe()
    fixture.is_in = True
    fixture.probe()
    assert fixture.place.look() == ("fixture://1#2", "fixture://1")
    assert not socket_on(LinkFolder(folder)).clear(), "a place that sees its unit believes its eyes"


def test_a_fixture_whose_port_another_program_has_says_so_until_it_is_free() -> None:
    fixture = Fixture()
    fixture.place.look()
    fixture.is_in = fixture.is_taken = True
    fixture.probe()
    assert fixture.place.look() is None
    assert fixture.place.problem == "minicom has it. Close the other program."
    fixture.is_taken = False
    fixture.probe()
    assert fixture.place.look() is not None
    assert fixture.place.problem == ""


def test_a_chip_is_never_asked_and_its_removal_is_the_operators_word() -> None:
    fixture = Fixture(speaks_at=False)
    first = fixture.place.look()
    assert first == ("fixture://1#0", "fixture://1")
    fixture.place.take_state("passed")
    for _ in range(10):
        fixture.probe()
        assert fixture.place.look() == first
    assert fixture.place.clear()
    assert fixture.place.look() is None
    assert fixture.place.look() == ("fixture://1#1", "fixture://1")


def test_an_adapter_that_goes_away_is_no_fixture(folder: Path) -> None:
    links = LinkFolder(folder)
    plug(folder)
    links.scan()
    place = socket_on(links)
    assert place.look() is None, "it was there at the start: its module has to answer"
    (folder / NAME).unlink()
    links.scan()
    assert place.look() is None
    plug(folder)
    links.scan()
    assert place.look() is not None


# -- learned keys --------------------------------------------------------------------------------------

FILE = """# the bench at the window
name = "b"

[[lane]]
number = 1
path = "usb-0:9:1.0-port0"  # old
board = "b.toml"

[[lane]]
number = 2
port = "/dev/ttyUSB0"

[stop]
failures_lane = 2
"""


def test_the_key_of_a_lane_leaves_out_the_controller() -> None:
    assert tail_of(NAME) == TAIL
    assert tail_of("platform-fd500000.pcie-pci-0000:01:00.0-usb-0:1.3:1.0-port0") == "usb-0:1.3:1.0-port0"


def test_only_the_paths_of_a_file_are_replaced() -> None:
    text = with_paths(FILE, {1: "usb-0:1:1.0-port0", 2: "usb-0:2:1.0-port0", 7: "usb-0:7:1.0-port0"})
    assert text.startswith('# the bench at the window\nname = "b"\n')
    assert 'number = 1\npath = "usb-0:1:1.0-port0"  # old\nboard = "b.toml"' in text
    assert 'number = 2\npath = "usb-0:2:1.0-port0"\n' in text
    assert "/dev/ttyUSB0" not in text
    assert "[stop]\nfailures_lane = 2" in text
    assert text.endswith('[[lane]]\nnumber = 7\npath = "usb-0:7:1.0-port0"\n')


def test_comments_and_line_ends_of_a_file_stay() -> None:
    text = with_paths(FILE.replace("\n", "\r\n"), {1: "usb-0:1:1.0-port0"})
    assert 'path = "usb-0:1:1.0-port0"  # old\r\nboard' in text
    assert text.count("\n") == text.count("\r\n")


def test_a_file_is_replaced_as_a_whole_behind_its_link_and_with_its_mode(tmp_path: Path) -> None:
    real = tmp_path / "real.toml"
    real.write_text(FILE)
    real.chmod(0o640)
    link = tmp_path / "s.toml"
    link.symlink_to(real)
    write_paths(link, {2: TAIL})
    assert link.is_symlink()
    assert TAIL in real.read_text()
    assert real.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["real.toml", "s.toml"]


@pytest.mark.parametrize(
    "text",
    ['name = "b"\nlane = [{number = 1, port = "COM1"}]\n', "nam = 1\n", "name = \n", 'name = "b"\n[x]\n'],
)
def test_a_file_that_cannot_take_lanes_is_refused_before_the_first_plug(tmp_path: Path, text: str) -> None:
    file = tmp_path / "s.toml"
    file.write_text(text)
    with pytest.raises(ConfigError):
        check_file(file, [1, 2])
    assert file.read_text() == text


@pytest.mark.parametrize(
    ("text", "numbers"), [("3", [1, 2, 3]), ("9-11", [9, 10, 11]), ("64", list(range(1, 65)))]
)
def test_lanes_are_a_count_or_a_range(text: str, numbers: list[int]) -> None:
    assert lane_numbers(text) == numbers


@pytest.mark.parametrize("text", ["0", "65", "3-2", "x", "1-99", "", "-1", "1,2"])
def test_other_words_are_no_lanes(text: str) -> None:
    with pytest.raises(UsageError):
        lane_numbers(text)


def test_a_file_that_would_be_wrong_stays_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_text("nam = 1\n")
    with pytest.raises(ConfigError):
        write_paths(file, {1: TAIL})
    assert file.read_text() == "nam = 1\n"


def test_what_appears_is_told_and_what_was_there_is_not(folder: Path) -> None:
    plug(folder, "there-before")
    appeared = appearing(LinkFolder(folder), SystemClock(), StopToken())
    thread = threading.Timer(0.1, lambda: plug(folder))
    thread.start()
    assert next(appeared) == [TAIL]
    thread.join()


def test_the_ports_of_one_adapter_are_learned_at_one_plug_in_their_order(folder: Path) -> None:
    names = [f"pci-0000:00:14.0-usb-0:1.2:1.{port}-port0" for port in (2, 0, 10, 1)]
    appeared = appearing(LinkFolder(folder), SystemClock(), StopToken())
    thread = threading.Timer(0.1, lambda: list(map(partial(plug, folder), names)))
    thread.start()
    places = next(appeared)
    thread.join()
    assert places == [f"usb-0:1.2:1.{port}-port0" for port in (0, 1, 2, 10)]
    assert are_one_adapter(places)
    assert not are_one_adapter(["usb-0:1.2.1:1.0-port0", "usb-0:1.2.2:1.0-port0"])


def test_two_names_of_one_device_are_one_place(folder: Path) -> None:
    appeared = appearing(LinkFolder(folder), SystemClock(), StopToken())
    device = folder.parent / "tty"
    device.touch()

    def plug_both() -> None:
        (folder / NAME).symlink_to(device)
        (folder / NAME.replace("usb-", "usbv2-")).symlink_to(device)

    thread = threading.Timer(0.1, plug_both)
    thread.start()
    assert next(appeared) == [TAIL]
    thread.join()


def test_the_same_adapter_that_is_plugged_again_appears_again(folder: Path) -> None:
    appeared = appearing(LinkFolder(folder), SystemClock(), StopToken())
    threading.Timer(0.1, lambda: plug(folder)).start()
    assert next(appeared) == [TAIL]

    def replug() -> None:
        (folder / NAME).unlink()
        plug(folder)

    threading.Timer(0.1, replug).start()
    assert next(appeared) == [TAIL]


def test_learning_ends_when_it_is_stopped(folder: Path) -> None:
    stop = StopToken()
    stop.set()
    with pytest.raises(Interrupted):
        next(appearing(LinkFolder(folder), SystemClock(), stop))
