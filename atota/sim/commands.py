"""The AT commands of a simulated module: a command in, a reply out. No time passes in here."""

import re
from collections.abc import Callable

from atota.sim import rates
from atota.sim.persona import Persona
from atota.sim.reply import Reply, Speed
from atota.sim.updater import Updater

_SET = re.compile(rb"\+([A-Z0-9]+)=([^?].*|)", re.DOTALL)
_QUERY = re.compile(rb"\+([A-Z0-9]+)(\?|=\?)")


def split_line(line: bytes, verbatim: bytes = b"") -> list[bytes] | None:
    """Split a line into its commands, without ``AT``; None if it is not a command line.

    Spaces outside quotes are dropped (Quectel BC95 AT manual V1.3), except where the word ``verbatim``
    stands: the handler of NFWUPD refuses them.
    """
    if not (verbatim and verbatim in line.upper()) and (b" " in line or b"\t" in line):
        line = b"".join(
            part if odd else part.replace(b" ", b"").replace(b"\t", b"")
            for part, odd in zip(re.split(rb'("[^"]*")', line), (False, True) * len(line), strict=False)
        )
    line = line.strip(b" ")
    if line[:2].upper() != b"AT":
        return None
    if b";" not in line:
        return [line[2:]]
    return re.findall(rb'(?:"[^"]*"|[^;"]|")+', line[2:]) or [b""]


class Commands:
    """The command interpreter of one module.

    Args:
        persona: the answers and settings of the module.
        updater: its way of updating; it is asked first.
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
        """Set every setting as the firmware comes."""
        self.values.clear()
        self.nconfig = dict(self._persona.nconfig)
        self.reset()

    def reset(self) -> None:
        """Set every setting as after a reboot: stored ones stay."""
        for name, setting in self._persona.settings.items():
            if not setting.stored or name not in self.values:
                self.values[name] = setting.default

    @property
    def error_codes(self) -> bool:
        """True if errors carry a number (AT+CMEE=1)."""
        return self.values.get(b"CMEE", b"0") != b"0"

    def execute(self, command: bytes, now: float) -> Reply:
        """Carry out one command, given without ``AT``."""
        reply = self._updater.execute(command, now)
        if reply is not None:
            return reply
        word = command.upper()
        fixed = self._persona.answers.get(b"AT" + word)
        if fixed is not None:
            return Reply(tuple(self.fill(line) for line in fixed))
        if word in (b"E0", b"E1", b"E") and self._persona.ate:
            self.echo = word != b"E0"
            return Reply()
        if word == b"&W" and self._persona.ipr is not None:
            values = self._fields()
            return Reply(
                speed=None if values[b"ipr"] == b"0" else Speed(int(values[b"baud"]), 0.0, store=True)
            )
        restart = self._persona.restarts.get(word)
        if restart is not None:
            cause = self._persona.restart_cause
            return Reply(restart.lines, bare=restart.bare, tail=restart.tail, reboot=cause)
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

    def _setting(self, command: bytes, word: bytes) -> Reply:
        query = _QUERY.fullmatch(word)
        if query:
            return self._query(query[1], query[2])
        match = _SET.fullmatch(word)
        if not match:
            return self._unknown()
        name, value = match[1], command[match.start(2) :]
        if name == b"NATSPEED" and self._persona.natspeed:
            return rates.natspeed(self._persona.natspeed, value)
        if name == b"IPR" and self._persona.ipr:
            return rates.ipr(self._persona.ipr, value, self._persona.value_code)
        if name == b"NCONFIG" and self.nconfig:
            return self._set_nconfig(value.upper())
        setting = self._persona.settings.get(name)
        if setting is None:
            return self._unknown()
        if setting.values and value not in setting.values:
            return Reply(error=self._persona.value_code)
        self.values[name] = value
        return Reply(seconds=setting.seconds)

    def _query(self, name: bytes, form: bytes) -> Reply:
        rules = {b"NATSPEED": self._persona.natspeed, b"IPR": self._persona.ipr}.get(name)
        if rules is not None:
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
        key, _, flag = value.replace(b'"', b"").partition(b",")
        if key not in self.nconfig or flag not in (b"TRUE", b"FALSE"):
            return Reply(error=50)
        self.nconfig[key] = flag
        return Reply()

    def _known(self) -> tuple[bytes, ...]:
        names = {re.split(rb"[=?]", command)[0] for command in self._persona.answers}
        words = (*self._persona.settings, *self._updater.words, b"CLAC")
        names |= {b"AT+" + name for name in words} | {b"AT" + word for word in self._persona.restarts}
        names |= {b"AT+NATSPEED"} if self._persona.natspeed else set()
        names |= {b"AT+IPR"} if self._persona.ipr else set()
        return tuple(sorted(names - {b"AT"}))
