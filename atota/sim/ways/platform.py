"""An update that the platform drives over LwM2M: no command for it exists, the module only logs in.

From China Mobile IoT's LwM2M AT manual (its +MIPLEVENT table and its FOTA example) and the M5311 AT
specification v2.4: create, open, then the platform does as it likes. What it wants is the option ``push``;
the package is made up when the module has downloaded it. A download that was broken off begins again with the
next login.
"""

import re
from dataclasses import dataclass
from typing import ClassVar

from atota.sim.judge import SlotVerdict
from atota.sim.network import Network
from atota.sim.package import build_package
from atota.sim.reply import PLAIN, Reply
from atota.sim.updater import Chassis, PlainUpdater, Updater

BOOTSTRAPPED, LOGGED_IN, LOGIN_FAILED, UPDATED, LOGGED_OUT = 2, 6, 7, 11, 15
LOADING, LOAD_FAILED, LOADED, UPDATING, SUCCEEDED, FAILED, FINISHED, INTERRUPTED = range(40, 48)

SYNTAX, NOT_LOGGED_IN, NOT_ALLOWED, NO_RESOURCE = 601, 602, 651, 653  # the same manual, chapter 6

_COMMAND = re.compile(rb"\+MIPL([A-Z]+)(\?|=\?|=(.*))?", re.DOTALL | re.IGNORECASE)
_OPEN = re.compile(rb"0,(\d{1,9})(?:,(\d{1,4}))?")
_OBJECT = re.compile(rb'0,(\d{1,5}),(\d),"?([01]+)"?,\d+,\d+')
_SERVER = re.compile(rb'"([^",]+)",([0-3])(?:,.*)?')
_CONFIG = re.compile(rb"(\d+),([0-9A-Fa-f]+),(\d+),(\d+),([01])")
_ANSWERS = (b"READRSP", b"WRITERSP", b"EXECUTERSP", b"OBSERVERSP", b"PARAMETERRSP", b"NOTIFY")


@dataclass(frozen=True, slots=True)
class PlatformDriven:
    """The rules of a family whose platform drives the update.

    Attributes:
        model: the model of its packages: the persona's name.
        creates: CREATE (the configuration in hex, or nothing) and CREATEEX (a server's address).
        events: the events of a login with their delays; with a direct server (flag 0) only the last.
        gap: a blank after the colon, or none.
        size: bytes of a package; with ``rate``, bytes per second, how long a download takes.
    """

    model: str
    creates: tuple[bytes, ...] = (b"CREATE",)
    events: tuple[tuple[float, int], ...] = ((0.5, 1), (3.0, BOOTSTRAPPED), (3.0, 4), (6.0, LOGGED_IN))
    gap: bytes = b""
    size: int = 30_000
    rate: int = 500
    attach_s: float = 5.0
    leftover: int = 0
    name: ClassVar[str] = "platform"
    verbatim: ClassVar[bytes] = b""

    @property
    def capacity(self) -> int:
        """More than any package has."""
        return 512 * 1024

    def updater(self, chassis: Chassis) -> Updater:
        """Make the state for one module."""
        return PlatformUpdater(self, chassis)


def _refused(code: int) -> Reply:
    return Reply((b"+CIS ERROR: %d" % code,), bare=True)


class PlatformUpdater(PlainUpdater):
    """The LwM2M client in the module; an update that was begun outlives a reboot, the login does not."""

    words = (b"MIPLCREATE", b"MIPLOPEN", b"MIPLCLOSE", b"MIPLDELETE", b"MIPLADDOBJ")

    def __init__(self, rules: PlatformDriven, chassis: Chassis) -> None:
        self._rules = rules
        self._chassis = chassis
        self._network = Network(chassis, attach_s=rules.attach_s)
        self._to_finish = self._gave_up = False
        self._session = 0
        self._forget()

    def reset(self) -> None:
        """Log out and drop the instance."""
        self._forget()
        self._network.reset()

    def _forget(self) -> None:
        self._created = self._direct = self._opening = self._logged_in = self.committed = False
        self._objects: list[bytes] = []
        self._session += 1

    def finished(self, verdict: SlotVerdict, *, said_good: bool) -> None:
        """Keep the result for the next login, when the platform is told."""
        self._to_finish = said_good
        self._gave_up = not verdict.good

    def positions(self, line: bytes) -> frozenset[str]:
        """Creating prepares, opening is the start."""
        word = line.upper()
        if b"+MIPLOPEN=" in word:
            return frozenset({"start"})
        return frozenset({"prepare"} if b"+MIPLCREATE" in word else ())

    def execute(self, command: bytes, now: float) -> Reply | None:
        """Carry out an ``AT+MIPL`` command or one of the network's."""
        match = _COMMAND.fullmatch(command)
        if match is None:
            return self._network.execute(command, now)
        word, form, value = match[1].upper(), match[2], match[3]
        if word in (b"CREATE", b"CREATEEX"):
            return self._create(word, form, value) if word in self._rules.creates else Reply(error=PLAIN)
        if word == b"OPEN" and form == b"?":
            return self._ask(now)
        if value is None or word not in (
            *_ANSWERS,
            b"OPEN",
            b"ADDOBJ",
            b"DELOBJ",
            b"DISCOVERRSP",
            b"UPDATE",
            b"CLOSE",
            b"DELETE",
        ):
            return Reply(error=PLAIN)
        if not self._created:
            return _refused(NO_RESOURCE)
        if not value.startswith(b"0"):
            return _refused(SYNTAX)
        return self._on_instance(word, value)

    def _on_instance(self, word: bytes, value: bytes) -> Reply:
        if word == b"OPEN":
            return self._open(value)
        if word == b"ADDOBJ":
            return self._add(value)
        if word == b"DELETE":
            self._leave()
            self._created = False
            self._objects.clear()
            return Reply()
        if word in (b"DELOBJ", b"DISCOVERRSP"):
            return Reply()
        if not self._logged_in:
            return _refused(NOT_LOGGED_IN)
        if word == b"UPDATE":
            return Reply(then=lambda then: self._event(UPDATED, then + 1.0))
        if word == b"CLOSE":
            self._leave()
            return Reply(then=lambda then: self._event(LOGGED_OUT, then + 1.0))
        return Reply()

    # --- create, open --------------------------------------------------------------------------------

    def _create(self, word: bytes, form: bytes | None, value: bytes | None) -> Reply:
        if word == b"CREATE":
            good = form is None or self._configured(value or b"")
            self._direct = False
        else:
            server = _SERVER.fullmatch(value or b"")
            good = server is not None
            self._direct = server is not None and int(server[2]) % 2 == 0
        if not good:
            return _refused(SYNTAX)
        if self._created:
            return _refused(NO_RESOURCE)
        if value is not None and word == b"CREATE" and value.endswith(b",1"):
            return Reply()  # more of the configuration follows
        self._created = True
        return Reply((b"+MIPL" + word + b":" + self._rules.gap + b"0",), seconds=0.2)

    @staticmethod
    def _configured(value: bytes) -> bool:
        """True if the lengths fit: in characters, as the manual says, or in bytes, as the tools write."""
        match = _CONFIG.fullmatch(value)
        return match is not None and int(match[4]) in (len(match[2]), len(match[2]) // 2)

    def _add(self, value: bytes) -> Reply:
        match = _OBJECT.fullmatch(value)
        if match is None or len(match[3]) != int(match[2]):
            return _refused(SYNTAX)
        self._objects.append(match[1])
        return Reply()

    def _open(self, value: bytes) -> Reply:
        match = _OPEN.fullmatch(value)
        if match is None:
            return _refused(SYNTAX)
        if self._opening or self._logged_in or self._chassis.faults.strike("refuse-start"):
            return _refused(NOT_ALLOWED)
        self._opening = True
        self.committed = not self._to_finish and self._has_target
        self._session += 1
        session, patience = self._session, float(match[2] or 30)
        return Reply(then=lambda then: self._log_in(session, patience, then))

    def _ask(self, now: float) -> Reply:
        if not self._logged_in or not self._network.attached(now):
            return _refused(NOT_LOGGED_IN)
        return Reply(then=lambda then: self._event(LOGGED_IN, then + 0.5))

    def _leave(self) -> None:
        self._session += 1
        self._opening = self._logged_in = self.committed = False

    def _log_in(self, session: int, patience: float, now: float) -> None:
        if not self._network.attached(now):
            wait = min(patience, self._rules.attach_s + 0.5) if self._network.attaching(now) else patience
            self._chassis.plan(now + wait, lambda then: self._try_again(session, patience - wait, then))
            return
        events = self._rules.events[-1:] if self._direct else self._rules.events
        for delay, event in events:
            self._chassis.plan(
                now + delay,
                lambda then, event=event: self._while_in(session, event, then),  # type: ignore[misc]
            )

    def _try_again(self, session: int, patience: float, now: float) -> None:
        if session != self._session:
            return
        if patience > 0 and self._network.attached(now):
            self._log_in(session, patience, now)
            return
        self._leave()
        self._event(LOGIN_FAILED, now)

    def _while_in(self, session: int, event: int, now: float) -> None:
        """Say an event of this session, if it still lasts."""
        if session != self._session:
            return
        self._event(event, now)
        if event == LOGGED_IN:
            self._opening, self._logged_in = False, True
            self._welcome(session, now)

    # --- the platform --------------------------------------------------------------------------------

    def reword(self, line: bytes) -> bytes:
        """Cut a line of the update, or leave it out, where a fault says so."""
        faults = self._chassis.faults
        number = re.search(rb"\+MIPLEVENT: ?0,(\d+)", line)
        if number is None or not LOADING <= int(number[1]) <= INTERRUPTED:
            return line
        if faults.lasts("quiet-update"):
            return b""
        return line[: len(line) // 2] if faults.strike("cut-urc") else line

    def _line(self, text: bytes, now: float) -> None:
        self._chassis.send(
            now, self.reword(b"\r\n" + text.replace(b":", b":" + self._rules.gap, 1) + b"\r\n")
        )

    def _event(self, number: int, now: float) -> None:
        self._line(b"+MIPLEVENT:0,%d" % number, now)

    @property
    def _has_target(self) -> bool:
        """True if the platform has another firmware for it."""
        push = self._chassis.options.push
        return push not in ("", self._chassis.version) and not self._gave_up

    def _welcome(self, session: int, now: float) -> None:
        for count, number in enumerate(self._objects):
            self._line(b"+MIPLOBSERVE:0,%d,1,%s,0,-1" % (39121 + 2 * count, number), now + 0.5)
            self._line(b"+MIPLDISCOVER:0,%d,%s" % (39122 + 2 * count, number), now + 0.7)
        if self._to_finish:
            self._to_finish = False
            self._chassis.plan(now + 3.0, lambda then: self._event(FINISHED, then))
        elif self._has_target:
            self._chassis.plan(now + 4.0, lambda then: self._load(session, then))

    def _load(self, session: int, now: float) -> None:
        if session != self._session:
            return
        self._line(b"+MIPLREAD:0,53119,3,0,9", now)  # the module answers by itself
        self._event(LOADING, now + 1.0)
        seconds = self._rules.size / self._rules.rate
        if self._chassis.faults.strike("fail-download"):
            self._chassis.plan(now + seconds, lambda then: self._stop_loading(session, LOAD_FAILED, then))
            return
        if self._chassis.faults.strike("reboot-in-download"):
            self._chassis.plan(now + 1.0 + seconds / 2, self._chassis.crash)
        self._chassis.plan(now + 1.0 + seconds, lambda then: self._loaded(session, then))

    def _stop_loading(self, session: int, event: int, now: float) -> None:
        if session == self._session:
            self.committed = False
            self._event(event, now)

    def _loaded(self, session: int, now: float) -> None:
        if session != self._session:
            return
        if not self._network.attached(now):
            self._stop_loading(session, INTERRUPTED, now)
            self._leave()
            return
        chassis = self._chassis
        package = build_package(
            model=self._rules.model, base=chassis.version, target=chassis.options.push, size=self._rules.size
        )
        chassis.flash.erase()
        chassis.flash.write(0, package)
        chassis.tell(f"the platform sent {len(package)} bytes")
        self._event(LOADED, now)
        self._line(b"+MIPLREAD:0,53194,3,0,9", now + 1.0)
        chassis.plan(now + 3.0, lambda then: self._begin(session, then))

    def _begin(self, session: int, now: float) -> None:
        if session == self._session:
            self._event(UPDATING, now)
            self._chassis.plan(now + 0.5, self._chassis.start_update)
