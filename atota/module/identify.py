"""Find the rate at which a module talks, and read who it is. Only harmless commands are sent.

The order: rates until something answers ``AT``; ``AT+CMEE=1``; the 27.007 identification; the dialect
that the answers show; that dialect's own queries. Each command is asked once, whatever asks
for it; again only after an error or silence.
"""

import re
from collections.abc import Sequence

import msgspec

from atota.at.params import whole_number
from atota.clock import Deadline
from atota.dialects import catalogue, loader
from atota.dialects.model import Dialect, Recognise
from atota.errors import LinkError, LinkLost, ModuleRebooted, NoAnswer, Refused
from atota.module.session import Reply, Session
from atota.values import Identity

_FIRST_TRY_S = 0.6
"""How long one AT may take at a rate that is only tried: a module answers within 300 ms."""
_CALM_S = 0.05
"""What noise at wrong rates made the module say may still be on its way."""
_WHO = (("AT+CGMI",), ("AT+CGMM", "ATI"), ("AT+CGMR",))
"""What tells the manufacturer, the model and the version, whatever the dialect."""
_VERSIONS = ("version", "revision")
"""The fields that verdicts hang on."""
_FOR_THE_RECORD = ("serial",)
"""The fields that nothing hangs on: many modules refuse the question, and each is asked only once."""
_ATTEMPTS = 3
_BUSY_S = 60.0
_ROUNDS = 3
"""How often all rates are tried, if there was noise: a boot takes up to half a minute (M5310-A)."""
_LIKELY = 3
"""How many rates, the likeliest, are tried again after silence: profiles name the usual ones first."""
_BOOT_PATIENCE_S = 3.0
"""A module that was just powered dribbles its banner for about this long (field logs of BC28)."""


class Findings(msgspec.Struct, frozen=True):
    """What identification brought: the values, the dialect that was recognised, and the row."""

    identity: Identity
    dialect: Dialect
    row: catalogue.Row | None
    contradiction: str | None


def find_baud(session: Session, *, first: int | None = None, only: int | None = None) -> int:
    """Find the rate at which the module answers, wake it if it sleeps, and leave the link at that rate.

    Args:
        session: the conversation; its dialect tells the rates worth trying.
        first: the rate to try before all others.
        only: the only rate to try.

    Raises:
        NoAnswer: nothing intelligible at any rate; ``tried`` says what came at each.
    """
    if only is not None:
        bauds: tuple[int, ...] = (only,)
    else:
        start = (first,) if first is not None else ()
        bauds = tuple(dict.fromkeys((*start, *session.dialect.uart.bauds)))
    tried: dict[int, str] = {}
    for _ in range(_ROUNDS):
        if _found_among(session, bauds, tried):
            return session.link.baud
        # Noise, and yet no rate fits: the module may be in its boot, and all rates are worth another round.
        if not any("bytes" in line for line in tried.values()):
            # Silence may be a boot, too, that ended at a rate which had had its turn.
            if _found_among(session, bauds[:_LIKELY], tried):
                return session.link.baud
            break
    raise NoAnswer(
        "nothing intelligible came from the module",
        tried=tuple(tried[baud] for baud in bauds),
        hint="Check power, TX/RX (crossed?) and ground; in deep sleep it may need its wake-up or reset line.",
    )


def _found_among(session: Session, bauds: Sequence[int], tried: dict[int, str]) -> bool:
    """Whether the module answers at a rate, the first one asked oftenest; ``tried`` tells of the others."""
    for place, baud in enumerate(bauds):
        tried.pop(baud, None)
        came, noise = session.received_bytes, session.garbage_bytes
        if _answers_at(session, baud, session.dialect.uart.wake_attempts if place == 0 else 2, tried):
            session.listen(_CALM_S)
            return True
        tried.setdefault(baud, _heard(session, baud, came, noise))
    return False


def _heard(session: Session, baud: int, came: int, noise: int) -> str:
    """What came at a rate since the counts were ``came`` and ``noise``, for people."""
    noise = session.garbage_bytes - noise
    text = session.received_bytes - came - noise
    if noise:
        return f"{baud} baud: {noise} bytes of noise"
    return f"{baud} baud: {text} bytes of text, but no answer" if text > 0 else f"{baud} baud: silence"


def _answers_at(session: Session, baud: int, attempts: int, tried: dict[int, str]) -> bool:
    """Whether the module answers at this rate, asked ``attempts`` times: a sleeping one loses some."""
    try:
        if session.link.baud != baud:  # at the same rate nothing that is owed may be forgotten
            session.set_baud(baud)
    except LinkLost:
        raise
    except LinkError as error:
        tried[baud] = f"{baud} baud: {error.message}"
        return False
    for _ in range(attempts):
        came, noise = session.received_bytes, session.garbage_bytes
        if session.is_alive(_FIRST_TRY_S):
            return True
        talks = session.received_bytes - came > 2 * (session.garbage_bytes - noise)
        # It talks at this rate and does not listen: a boot banner, which only some dialects know as one.
        if session.booting or talks:
            session.await_boot(_BOOT_PATIENCE_S)
            if session.is_alive(_FIRST_TRY_S):
                return True
    return False


class _Asker:
    """Remembers the answer to each command; one that got none, or an error, is asked again."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._answers: dict[str, tuple[str, ...] | None] = {}

    def lines(self, command: str, *, required: bool = False, again: bool = True) -> tuple[str, ...] | None:
        """The information lines, or None if the module refused or does not answer this command.

        With ``again`` a refusal is not believed before it comes twice.
        """
        if command not in self._answers:
            reply = ask(self._session, command)
            if reply is not None and not reply.ok and again:
                # A byte that was lost or doubled on the way makes a good question a wrong one.
                reply = ask(self._session, command)
            if reply is None and required:
                raise NoAnswer(f"{command} got no answer, and without it nobody knows what this module is")
            told = reply.lines if reply is not None and reply.ok else None
            self._answers[command] = told and tuple(line for line in told if not _of_echo(line, command))
        return self._answers[command]

    def text(self, *commands: str) -> str:
        """All the lines of commands that decide what the module is taken for."""
        return "\n".join("\n".join(self.lines(command, required=True) or ()) for command in commands)


def _of_echo(line: str, command: str) -> bool:
    """Whether a line is a piece of the question's own echo, which a URC in the middle of it tore apart."""
    return command.startswith(line) or command.endswith(line)


def ask(session: Session, command: str) -> Reply | None:
    """Ask a question that may be asked again after a reboot or silence.

    Returns:
        The reply, or None if the module answers others, but not this one.

    Raises:
        NoAnswer: the module answers nothing.
        ModuleRebooted: it rebooted each time.
    """
    trouble: NoAnswer | ModuleRebooted | None = None
    for _ in range(_ATTEMPTS):
        try:
            return session.command(command)
        except (ModuleRebooted, NoAnswer) as error:
            trouble = error  # its answer may have been lost or late, or it has just come up
    if isinstance(trouble, NoAnswer) and session.is_alive(_FIRST_TRY_S):
        return None
    assert trouble is not None
    raise trouble


def identify(
    session: Session, *, dialect: Dialect | None = None, expected: catalogue.Row | None = None
) -> Findings:
    """Read who the module is. The session goes on in the dialect that was found.

    Args:
        session: a conversation at the right rate.
        dialect: the dialect that the user chose; recognised by the answers if not given.
        expected: the row that the user says this is; `Findings.contradiction` tells if the answers differ.

    Raises:
        NoAnswer: the module stopped answering.
    """
    asker = _Asker(session)
    wait_until_free(session)
    _set_up(session, session.dialect)
    who = _who(asker)
    recognised = recognise(*who)
    if dialect is None and recognised is not None and _named_otherwise(who, recognised):
        # A clone, or a byte that was damaged on the way: then the second answers are others.
        asker = _Asker(session)
        who = _who(asker)
        recognised = recognise(*who)
    _, model, version = who
    named = expected is not None and expected.method != "none"
    probed = None if dialect or recognised or named else _probed(asker)
    chosen = dialect or recognised or probed or loader.load("3gpp")
    if dialect is None and expected is not None and recognised is None and probed is None:
        chosen = loader.load(expected.dialect)
    session.speak(chosen)
    _set_up(session, chosen)
    found = _fields(asker, chosen)
    found.update(_told_twice(session, {name: found[name] for name in _VERSIONS if name in found}))
    row = catalogue.find(found.get("manufacturer"), "\n".join((found.get("model", ""), model)), version)
    contradiction = _contradiction(expected, row, recognised or dialect)
    identity = _identity(found, session.link.baud, chosen, expected or row)
    if contradiction is not None or probed is not None:
        identity = msgspec.structs.replace(identity, evidence="none")
    return Findings(identity, chosen, expected or row, contradiction)


def _who(asker: _Asker) -> tuple[str, str, str]:
    """What the module answers of its manufacturer, its model and its version."""
    manufacturer, model, version = (asker.text(*commands) for commands in _WHO)
    return manufacturer, model, version


def _named_otherwise(who: tuple[str, str, str], recognised: Dialect) -> bool:
    """Whether the module's name is that of another dialect than the answers show, or of a closer one."""
    row = catalogue.find(*who)
    return row is not None and row.method != "none" and row.dialect not in loader.ancestry(recognised)


def _probed(asker: _Asker) -> Dialect | None:
    """The dialect that a test form shows, where nothing the module says of itself does; None if not just one.

    Only test forms are asked: the set form of the same word starts a flash on one vendor's module and a
    download on another's.
    """
    probes = [(profile.probe, profile) for profile in loader.all_built_in() if profile.probe is not None]
    shown = [profile for probe, profile in probes if probe.find(asker.lines(probe.send) or ()) is not None]
    return shown[0] if len(shown) == 1 else None


def recognise(
    manufacturer: str, model: str, version: str, *, among: Sequence[Dialect] | None = None
) -> Dialect | None:
    """The dialect that the answers show: the most special one, then the one with the most patterns.

    Args:
        manufacturer: what the module answers to AT+CGMI.
        model: to AT+CGMM and ATI.
        version: to AT+CGMR.
        among: the dialects to choose from; all built-in ones if not given.
    """
    fitting = [
        (_patterns(profile.recognise), len(loader.ancestry(profile)), profile)
        for profile in (loader.all_built_in() if among is None else among)
        if profile.recognise is not None and _fits(profile.recognise, manufacturer, model, version)
    ]
    return max(fitting, key=lambda entry: (entry[1], entry[0]))[2] if fitting else None


def require_consistent(findings: Findings) -> None:
    """Refuse a module whose answers contradict what the user said it is.

    Raises:
        Refused: they do.
    """
    if findings.contradiction is not None:
        raise Refused(
            findings.contradiction,
            hint="The answers win: leave --model out, or name the right one. Nothing was changed.",
        )


def _patterns(rule: Recognise | None) -> int:
    if rule is None:
        return 0
    return sum(pattern is not None for pattern in (rule.manufacturer, rule.model, rule.version))


def _fits(rule: Recognise, manufacturer: str, model: str, version: str) -> bool:
    given = ((rule.manufacturer, manufacturer), (rule.model, f"{model}\n{version}"), (rule.version, version))
    wanted = [(pattern, text) for pattern, text in given if pattern is not None]
    return bool(wanted) and all(re.search(pattern, text) for pattern, text in wanted)


def _contradiction(
    expected: catalogue.Row | None, row: catalogue.Row | None, spoken: Dialect | None
) -> str | None:
    """Why the module is not what the user said, or not what it calls itself; None if nothing says so.

    The same name may hide another chip, so the family that the answers show has to be the row's own.
    """
    if expected is not None and row is not None and row.codes != expected.codes:
        return f"the module says it is a {row.vendor} {row.model}, not a {expected.model}"
    said = expected or row
    if said is None or said.method == "none":
        return None
    if spoken is not None:
        wanted = loader.ancestry(loader.load(said.dialect))
        if said.dialect in loader.ancestry(spoken) or spoken.name in wanted:
            return None
    shown = f"those of {spoken.title}" if spoken is not None else "those of no family that is known"
    return f"the answers are {shown}; a {said.model} speaks {said.dialect}: another chip may be inside"


def wait_until_free(session: Session) -> None:
    """Wait, within bounds, for a module that refuses everything: an earlier run's validation may go on."""
    limit = Deadline(session.clock, _BUSY_S)
    while True:
        reply = ask(session, "AT")
        if (reply is not None and reply.ok) or limit.expired:
            return
        session.listen(1.0)


def _set_up(session: Session, dialect: Dialect) -> None:
    for command in dialect.setup or ("AT+CMEE=1",):
        ask(session, command)


def _fields(asker: _Asker, dialect: Dialect, wanted: Sequence[str] | None = None) -> dict[str, str]:
    """What the dialect's queries bring; those of ``wanted`` alone, or all."""
    found: dict[str, str] = {}
    for query in dialect.identify:
        if query.field in found or (wanted is not None and query.field not in wanted):
            continue
        lines = asker.lines(query.send, again=query.field not in _FOR_THE_RECORD)
        value = query.find(lines) if lines else None
        if value:
            found[query.field] = value
    return found


def _identity(found: dict[str, str], baud: int, dialect: Dialect, row: catalogue.Row | None) -> Identity:
    return Identity(
        manufacturer=found.get("manufacturer"),
        model=found.get("model"),
        version=found.get("version"),
        revision=found.get("revision"),
        imei=found.get("imei"),
        serial=found.get("serial"),
        signal=whole_number(found.get("signal")),
        supply_mv=whole_number(found.get("supply_mv")),
        battery_percent=whole_number(found.get("battery_percent")),
        baud=baud,
        dialect=dialect.name,
        method=dialect.method.kind if dialect.method is not None else "none",
        evidence=row.evidence if row is not None and row.method != "none" else dialect.evidence,
        manuf_code=row.manuf_code if row is not None else None,
        model_code=row.model_code if row is not None else None,
    )


def read_versions(session: Session) -> tuple[str, ...]:
    """The version token, as the dialect picks it, and the vendor's revision, both asked anew.

    Raises:
        NoAnswer: the module did not answer in time.
        ModuleRebooted: it rebooted meanwhile.
    """
    found = _fields(_Asker(session), session.dialect, _VERSIONS)
    return tuple(dict.fromkeys(found[field] for field in _VERSIONS if field in found))


def _told_twice(session: Session, said: dict[str, str]) -> dict[str, str]:
    """The versions as the module tells them twice alike: the wire has no checksum of its own.

    One bit makes SP3 of SP2, and with it another question to the platform and another verdict.

    Raises:
        NoAnswer: it tells something else each time.
    """
    heard = [said]
    for _ in range(_ATTEMPTS):
        again = _fields(_Asker(session), session.dialect, _VERSIONS)
        if again in heard:
            return again
        heard.append(again)
    told = ", ".join(repr(one.get("version", "")) for one in heard)
    raise NoAnswer(
        f"the module tells another version each time: {told}",
        hint="The line damages bytes: check ground, cable length and level shifters, or try a lower rate.",
    )
