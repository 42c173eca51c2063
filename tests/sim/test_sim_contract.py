"""The promises of every way of updating, for each kind: refusals, power cuts, good and bad packages."""

from collections.abc import Callable
from hashlib import md5

import pytest

from atota.sim.module import SimModule
from atota.sim.options import Options
from atota.sim.package import build_package
from atota.sim.persona import Persona
from atota.sim.personas.catalogue import PERSONAS
from tests.sim.hosts import OK, TimeHost
from tests.sim.test_sim_ufwupd import packet

SIZE = 4096


class Host(TimeHost):
    """A host of one way of updating: it fills the slot in steps and starts the update.

    Attributes:
        half_kept: the documented part of half a package that a power cut leaves in the slot: 0.5 where the
            pieces are stored as they come, 0 where the module stores a whole transfer or downloads by itself.
    """

    model = ""
    half_kept = 0.0

    def __init__(self, *faults: str) -> None:
        self.package = b""
        options = Options(baud=115200, push="NEW", fetch=lambda _url: self.package)
        super().__init__(self.model, *faults, options=options, before=20.0)
        self.say(b"ATE0")

    def begin(self) -> None:
        """Bring the module to where the first byte may come."""

    def pieces(self, data: bytes, size: int = 512) -> None:
        """Send the bytes; ``data`` may be the first part of the package."""
        raise NotImplementedError

    def start(self) -> bytes:
        """Start the update; return the answer."""
        raise NotImplementedError

    def update(self, package: bytes) -> None:
        """Fill the slot, start, and wait until all is over."""
        self.package = package
        self.begin()
        self.pieces(package)
        self.start()
        self.wait(3000.0)


class NfwupdHost(Host):
    model = "BC28"
    half_kept = 0.5
    command = b"AT+NFWUPD"
    erases = True

    def begin(self) -> None:
        if self.erases:
            assert self.say(self.command + b"=0") == OK

    def pieces(self, data: bytes, size: int = 256) -> None:
        self.segments(data, size, self.command)

    def start(self) -> bytes:
        self.say(self.command + b"=2")
        return self.say(self.command + b"=5")


class Bc95Host(NfwupdHost):
    model = "BC95-B8"
    erases = False


class Ec616Host(NfwupdHost):
    model = "EC616"


class Xy1100Host(NfwupdHost):
    model = "XY1100"


class Ens22Host(NfwupdHost):
    model = "ENS22"
    command = b"AT^SNFWPUPDS"


class CfsHost(Host):
    model = "SIM7000C"
    half_kept = 0.5

    def begin(self) -> None:
        assert self.say(b"AT+CFSINIT") == OK
        self.say(b'AT+CFSDFILE=1,"update.zip"')  # mode 0 would leave the end of a longer file

    def pieces(self, data: bytes, size: int = 1024) -> None:
        for at in range(0, len(data), size):
            piece = data[at : at + size]
            self.say(b'AT+CFSWFILE=1,"update.zip",%d,%d,10000' % (at > 0, len(piece)))
            self.wait(0.5)
            self.module.feed(piece, self.now)

    def start(self) -> bytes:
        return self.say(b"AT+CFOTA=1")


class CflwHost(Host):
    model = "SIM7020C"
    half_kept = 0.5

    def begin(self) -> None:
        assert self.say(b"AT+CFLE=0,0,1") == OK

    def pieces(self, data: bytes, size: int = 512) -> None:
        for at in range(0, len(data), size):
            piece = data[at : at + size]
            self.say(b"AT+CFLW=0,0,%d,%d,10" % (len(piece), at))
            self.wait(0.5)
            self.module.feed(piece, self.now)

    def start(self) -> bytes:
        digest = md5(self.package, usedforsecurity=False).hexdigest().encode()
        return self.say(b"AT+CFOTA=5,%d,%s" % (len(self.package), digest))


class ZcomwrtHost(Host):
    model = "ME3616"

    def pieces(self, data: bytes, size: int = SIZE) -> None:
        self.say(b"AT+ZCOMWRT=%d" % SIZE)
        self.wait(6.0)
        self.module.feed(data[:size], self.now)

    def start(self) -> bytes:
        return self.say(b"AT+ZRST")


class QfuplHost(Host):
    model = "EC21"

    def pieces(self, data: bytes, size: int = SIZE) -> None:
        self.say(b'AT+QFDEL="u.bin"')
        self.say(b'AT+QFUPL="u.bin",%d,60,1' % SIZE)
        self.wait(0.5)
        self.module.feed(data[:size], self.now)

    def start(self) -> bytes:
        return self.say(b'AT+QFOTADL="/data/ufs/u.bin"')


class PushHost(Host):
    model = "EC800M"

    def pieces(self, data: bytes, size: int = SIZE) -> None:
        self.say(b'AT+QFOTADL="FILE:%d",1,100,100' % SIZE)
        self.wait(2.0)
        self.module.feed(data[:size], self.now)

    def start(self) -> bytes:
        return b""  # the last byte started it


class UfwupdHost(Host):
    model = "SARA-R410"

    def begin(self) -> None:
        self.say(b"AT+UFWUPD=3")
        self.wait(1.0)

    def pieces(self, data: bytes, size: int = 1024) -> None:
        for number, at in enumerate(range(0, len(data), size), 1):
            self.module.feed(packet(number, data[at : at + size], size), self.now)
            self.wait(0.1)
        if len(data) == len(self.package):
            self.module.feed(b"\x04", self.now)

    def start(self) -> bytes:
        return self.say(b"AT+UFWINSTALL")


class UrlHost(Host):
    model = "BC26"

    def begin(self) -> None:
        self.say(b"AT+CGATT?")  # the question after a start begins the attachment

    def pieces(self, data: bytes, size: int = SIZE) -> None:
        """Nothing: the module downloads when it is started."""

    def start(self) -> bytes:
        return self.say(b'AT+QFOTADL="http://server.test/p"')


HOSTS: dict[str, Callable[..., Host]] = {
    "nfwupd": NfwupdHost,
    "nfwupd without erase": Bc95Host,
    "ec616": Ec616Host,
    "xy1100": Xy1100Host,
    "ens22": Ens22Host,
    "cfs": CfsHost,
    "cflw": CflwHost,
    "zcomwrt": ZcomwrtHost,
    "qfota by file": QfuplHost,
    "qfota pushed": PushHost,
    "ufwupd": UfwupdHost,
    "url-pull": UrlHost,
}
every_way = pytest.mark.parametrize("way", HOSTS)


def package_for(module: SimModule) -> bytes:
    return build_package(model=module.persona.name, base=module.version, target="NEW", size=SIZE)


def test_every_way_that_a_host_drives_has_a_host_here() -> None:
    ways = {type(persona.way) for persona in PERSONAS if persona.way.name not in ("none", "platform")}
    assert {type(host().module.persona.way) for host in HOSTS.values()} == ways


@every_way
def test_a_good_package_ends_with_the_new_version(way: str) -> None:
    host = HOSTS[way]()
    package = package_for(host.module)
    host.update(package)
    assert (host.module.version, host.module.updates, host.module.starts) == ("NEW", 1, ["PACKAGE_OK"])
    assert host.module.slot == package or way == "ufwupd"
    assert not host.module.updating
    assert not host.module.updater.committed


@every_way
def test_a_damaged_package_ends_with_the_old_version(way: str) -> None:
    host = HOSTS[way]()
    package = bytearray(package_for(host.module))
    package[-9] ^= 1
    host.update(bytes(package))
    assert host.module.version == host.module.persona.version
    assert host.module.updates == 0
    assert "PACKAGE_OK" not in host.module.starts
    assert not host.module.updating
    assert not host.module.updater.committed


@every_way
def test_a_package_for_another_version_ends_with_the_old_one(way: str) -> None:
    host = HOSTS[way]()
    host.update(build_package(model=host.module.persona.name, base="OTHER", target="NEW", size=SIZE))
    assert (host.module.version, host.module.updates) == (host.module.persona.version, 0)
    assert not host.module.updating


@every_way
def test_garbage_is_refused_and_changes_nothing(way: str) -> None:
    host = HOSTS[way]()
    answers = [
        host.say(b"AT" + sign + word + tail)
        for word in host.module.updater.words
        for sign in (b"+", b"^")
        for tail in (
            b"=",
            b"=x",
            b'="',
            b"=-1",
            b"=7,",
            b"=9,9,9,9,9,9,9",
            b"=\xff\x00",
            b"X",
            b"=7,0,4,zz,00",
        )
    ]
    assert len(answers) > 5
    assert [answer for answer in answers if b"ERROR" not in answer] == []
    host.wait(3000.0)
    assert (host.module.slot, host.module.starts, host.module.reboots) == (b"", [], 0)
    assert host.module.version == host.module.persona.version


@every_way
def test_a_power_cut_leaves_the_documented_part_and_a_fresh_transfer_goes_through(
    way: str,
) -> None:
    host = HOSTS[way]()
    package = host.package = package_for(host.module)
    host.begin()
    host.pieces(package[: SIZE // 2])
    host.wait(0.5)
    host.module.power_cut(host.now)
    host.wait(60.0)
    kept = package[: int(SIZE * host.half_kept)]
    assert host.module.slot == kept
    assert (host.module.version, host.module.starts) == (host.module.persona.version, [])
    assert not host.module.updating
    if way == "ufwupd":  # download mode goes on after a power loss; it gives up before the new one
        host.wait(60.0)
    host.say(b"ATE0")
    host.update(package)
    assert (host.module.version, host.module.updates) == ("NEW", 1)


@every_way
def test_a_power_cut_amid_the_update_does_not_end_it(way: str) -> None:
    host = HOSTS[way]("reboot-in-update")
    host.update(package_for(host.module))
    assert host.module.faults.struck == ["reboot-in-update"]
    assert (host.module.version, host.module.updates) == ("NEW", 1)


@every_way
def test_a_refused_start_leaves_the_old_version_running(way: str) -> None:
    host = HOSTS[way]("refuse-start")
    host.update(package_for(host.module))
    assert (host.module.starts, host.module.updates) == ([], 0)
    assert host.module.version == host.module.persona.version
    assert not host.module.updating


@pytest.mark.parametrize(
    "persona", [one for one in PERSONAS if one.way.name == "none"], ids=lambda one: one.name
)
def test_a_module_without_a_way_refuses_every_word_of_the_others(persona: Persona) -> None:
    host = TimeHost(persona.name)
    words = {word for one in PERSONAS for word in host_words(one.name)}
    assert len(words) > 15
    assert [word for word in words if b"ERROR" not in host.say(b"AT+" + word + b"=1")] == []


def host_words(name: str) -> tuple[bytes, ...]:
    return TimeHost(name).module.updater.words
