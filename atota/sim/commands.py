"""The AT commands of a simulated module: a command in, a reply out. No time passes in here."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from atota.sim.nfwupd import Result, Updater
from atota.sim.persona import Persona

_SET = re.compile(rb"\+([A-Z0-9]+)=([^?].*|)", re.DOTALL)
_QUERY = re.compile(rb"\+([A-Z0-9]+)(\?|=\?)")
_FALL_BACK_S = 3  # u-blox UBX-16014887 R21, AT+NATSPEED: the default, and what 0 means


@dataclass(frozen=True, slots=True)
class Speed:
    """A change of rate that was accepted."""

    baud: int
    timeout_s: float
    store: bool


@dataclass(frozen=True, slots=True)
class Reply:
    """What a command answers. ``error`` of None is ``OK``; ``bare``: no final result at all."""

    lines: tuple[bytes, ...] = ()
    error: int | None = None
    seconds: float = 0.01
    bare: bool = False
    reboot: bool = False
    speed: Speed | None = None
    nfwupd: Result | None = None


def split_line(line: bytes) -> list[bytes] | None:
    """The commands of a line, without ``AT``; None if it is no command line.

    Spaces outside quotes are dropped (Quectel BC95 AT manual V1.3), except in NFWUPD, whose handler
    refuses them.
    """
    if b"NFWUPD" not in line.upper() and (b" " in line or b"\t" in line):
        line = b"".join(
            part if odd else part.replace(b" ", b"").replace(b"\t", b"")
            for part, odd in zip(re.split(rb'("[^"]*")', line), (False, True) * len(line), strict=False)
        )
    line = line.strip(b" ")
    if line[:2].upper() != b"AT":
        return None
    if b";" not in line:
        return [line[2:]]
    return [piece for piece in re.findall(rb'(?:"[^"]*"|[^;"]|")+', line[2:]) if piece]


class Commands:
    """The command interpreter of one module.

    Args:
        persona: what the module knows.
        updater: what stands behind AT+NFWUPD.
        fields: gives the values for the persona's placeholders.
    """

    def __init__(self, persona: Persona, updater: Updater, fields: Callable[[], dict[bytes, bytes]]) -> None:
        self._persona = persona
        self._updater = updater
        self._fields = fields
        self.echo = False
        self.values: dict[bytes, bytes] = {}
        self.nconfig: dict[bytes, bytes] = {}
        self.factory()

    def factory(self) -> None:
        """Every setting as the firmware comes."""
        self.values.clear()
        self.nconfig = dict(self._persona.nconfig)
        self.reset()

    def reset(self) -> None:
        """Every setting as after a reboot: what is stored stays."""
        for name, setting in self._persona.settings.items():
            if not setting.stored or name not in self.values:
                self.values[name] = setting.default

    @property
    def error_codes(self) -> bool:
        """Whether errors carry a number (AT+CMEE=1)."""
        return self.values.get(b"CMEE", b"0") != b"0"

    def execute(self, command: bytes) -> Reply:
        """Carry out one command, given without ``AT``."""
        word = command.upper()
        if not word.startswith(b"+NFWUPD=1,"):
            fixed = self._persona.answers.get(b"AT" + word)
            if fixed is not None:
                return Reply(tuple(self.fill(line) for line in fixed))
        if word.startswith(b"+NFWUPD"):
            return self._nfwupd(command[len(b"+NFWUPD") :])
        if word in (b"E0", b"E1", b"E") and self._persona.ate:
            self.echo = word != b"E0"
            return Reply()
        if word == b"+NRB":
            return Reply((b"REBOOTING",), bare=True, reboot=True)  # the OK belongs to the boot banner
        if word == b"+CLAC" and self._persona.clac:
            return Reply(self._known())
        return self._setting(command, word)

    def fill(self, line: bytes, **more: bytes) -> bytes:
        """Put values for the placeholders of a persona's line."""
        if b"{" not in line:
            return line
        values = self._fields() | {key.encode(): value for key, value in more.items()}
        return re.sub(rb"\{(\w+)\}", lambda match: values.get(match[1], match[0]), line)

    def _unknown(self) -> Reply:
        return Reply(error=self._persona.unknown_code)

    def _nfwupd(self, rest: bytes) -> Reply:
        if rest == b"=?":
            return Reply((self._persona.nfwupd.test,))
        if not rest.startswith(b"="):
            return self._unknown()
        result = self._updater.execute(rest[1:])
        return Reply(result.lines, result.error, result.seconds, nfwupd=result)

    def _setting(self, command: bytes, word: bytes) -> Reply:
        query = _QUERY.fullmatch(word)
        if query:
            return self._query(query[1], query[2])
        match = _SET.fullmatch(word)
        if not match:
            return self._unknown()
        name, value = match[1], command[match.start(2) :]
        if name == b"NATSPEED":
            return self._natspeed(value)
        if name == b"NCONFIG" and self.nconfig:
            return self._set_nconfig(value.upper())
        setting = self._persona.settings.get(name)
        if setting is None:
            return self._unknown()
        if setting.values and value not in setting.values:
            return Reply(error=50)
        self.values[name] = value
        return Reply(seconds=setting.seconds)

    def _query(self, name: bytes, form: bytes) -> Reply:
        if name == b"NATSPEED":
            rules = self._persona.natspeed
            return Reply((self.fill(rules.read if form == b"?" else rules.test),))
        if name == b"NCONFIG" and self.nconfig and form == b"?":
            line = self._persona.nconfig_line
            return Reply(tuple(self.fill(line, key=key, value=value) for key, value in self.nconfig.items()))
        setting = self._persona.settings.get(name)
        text = None if setting is None else setting.read if form == b"?" else setting.test
        if text is None:
            return self._unknown()
        return Reply((self.fill(text, value=self.values[name]),))

    def _set_nconfig(self, value: bytes) -> Reply:
        key, _, wanted = value.replace(b'"', b"").partition(b",")
        if key not in self.nconfig or wanted not in (b"TRUE", b"FALSE"):
            return Reply(error=50)
        self.nconfig[key] = wanted
        return Reply()

    def _natspeed(self, value: bytes) -> Reply:
        rules = self._persona.natspeed
        parts = value.split(b",")
        if len(parts) > rules.most or not all(re.fullmatch(rb"\d{1,7}", part) for part in parts):
            return Reply(error=50)
        numbers = [int(part) for part in parts]
        baud, timeout, store = (*numbers, 0, 0)[:3] if len(numbers) > 1 else (numbers[0], 0, 0)
        limits = (max(rules.bauds), 30, 1, 3, 2, 2, 1)  # the test form of Hi2115 B500
        if baud not in rules.bauds or any(n > top for n, top in zip(numbers, limits, strict=False)):
            return Reply(error=50)
        quiet = rules.deep_sleep_from is not None and baud >= rules.deep_sleep_from
        lines = (b"+NATSPEED:DISABLE_DEEP_SLEEP",) if quiet else ()
        return Reply(lines, speed=Speed(baud, float(timeout or _FALL_BACK_S), store == 1))

    def _known(self) -> tuple[bytes, ...]:
        names = {re.split(rb"[=?]", command)[0] for command in self._persona.answers}
        names |= {
            b"AT+" + name for name in (*self._persona.settings, b"NATSPEED", b"NFWUPD", b"NRB", b"CLAC")
        }
        return tuple(sorted(names - {b"AT"}))
