"""Identification: who a module is, and which dialect it speaks. Only harmless commands are sent.

The order, once `atota.module.baud.find_baud` has found the rate::

    -> AT                       until the module is free, then the setup of the dialect so far (AT+CMEE=1)
    -> AT+CGMI                  the manufacturer
    -> AT+CGMM, ATI             the model
    -> AT+CGMR                  the version; the three answers choose the dialect (`recognise`)
    -> AT+NFWUPD=?, …           probes, only if they choose none; test forms only
    -> (the dialect's queries)  version, IMEI, signal, supply, …
    -> (the version queries)    once more: the wire has no checksum of its own
    -> (the query for the IMEI) once more, only if its check digit does not fit

Each query is sent once, whatever needs its response; again only after silence or an error. But the answers
that choose the dialect are free text, and a start-up word that no family is known by looks like one: so each
is asked twice, and a third time if the two differ. The module's own answers win over the user's word: where
they differ, `Findings.mismatch` says so.
"""

import re
from collections.abc import Callable, Container, Sequence

import msgspec

from atota.at.params import whole_number
from atota.dialects import catalogue, loader
from atota.dialects.model import Dialect, Recognise
from atota.errors import NoAnswer, Refused
from atota.module.query import QueryCache, send_query, wait_until_free
from atota.module.session import Session
from atota.values import Identity, Versions, is_unique_imei, version_token

_WHO = (("AT+CGMI",), ("AT+CGMM", "ATI"), ("AT+CGMR",))
"""The queries for manufacturer, model and version, whatever the dialect."""
_VERSIONS = ("version", "revision", "full_version")
"""The fields that outcomes depend on."""
_FOR_THE_RECORD = ("serial",)
"""The fields that nothing depends on: many modules refuse the query, and each is sent only once."""
CONDITIONS = ("signal", "battery_percent", "supply_mv")
"""The fields that a platform's task may set limits for, and the one that the same command answers."""
_ATTEMPTS = 3
_REVISION = re.compile(r"(?im)^[ \t]*(?:(?:sw|software|firmware)[ _]?)?revision(?: ?: ?| +)(\S.*?)\s*$")
"""The line of ATI with the version, where AT+CGMR shows none: ``REVISION 03.006`` on Cinterion's modules."""


class Findings(msgspec.Struct, frozen=True):
    """The result of an identification.

    ``row`` is the catalogue's; ``mismatch`` says how the module differs from the user's or its own word.
    ``printed`` has the lines with the versions, by their queries.
    """

    identity: Identity
    dialect: Dialect
    row: catalogue.Row | None
    mismatch: str | None
    printed: dict[str, tuple[str, ...]] = {}


def can_read(findings: Findings, name: str) -> bool:
    """True if the dialect would read ``name`` where the module prints one of its present version texts.

    A pattern that cannot is known before the first byte: the update would end without its confirmation.
    """
    versions = findings.identity.versions
    if not versions.texts or versions.may_be(name):
        return True
    for text in versions.names:
        lines = {
            send: tuple(line.replace(text, name) for line in printed)
            for send, printed in findings.printed.items()
        }
        fields = _picked(findings.dialect, lines.get, only=_VERSIONS)
        read = Versions(
            version=fields.get("version"), revision=fields.get("revision"), full=fields.get("full_version")
        )
        if read.has(name) or read.may_be(name):
            return True
    return False


def identify(
    session: Session,
    *,
    dialect: Dialect | None = None,
    expected: catalogue.Row | None = None,
    without: Container[str] = (),
) -> Findings:
    """Read who the module is. The session continues in the dialect that was recognised.

    Args:
        session: a conversation at the right rate.
        dialect: the dialect that the user chose; recognised by the answers if not given.
        expected: the row that the user says this is; `Findings.mismatch` says if the answers differ.
        without: fields of the identity that are not asked for.

    Raises:
        NoAnswer: the module stopped answering.
    """
    queries = QueryCache(session)
    wait_until_free(session)
    _set_up(session, session.dialect)
    manufacturer, model, version = (queries.text(*commands, twice=dialect is None) for commands in _WHO)
    recognised = recognise(manufacturer, model, version)
    is_named = expected is not None and expected.method != "none"
    probed = None if dialect or recognised or is_named else _probed(queries)
    chosen = dialect or recognised or probed or loader.load("3gpp")
    if dialect is None and expected is not None and recognised is None and probed is None:
        chosen = loader.load(expected.dialect)
    if dialect is None:  # a user's file of that name must not be passed over silently
        loader.require_unambiguous(chosen.name)
    session.use_dialect(chosen)
    _set_up(session, chosen)
    fields = _fields(queries, chosen, without=without)
    fields.update(_confirmed(session, {name: fields[name] for name in _VERSIONS if name in fields}))
    if "imei" not in without:
        fields["imei"] = _checked_imei(session, fields.get("imei", ""))
    row = catalogue.find(fields.get("manufacturer"), "\n".join((fields.get("model", ""), model)), version)
    mismatch = _mismatch(expected, row, recognised or dialect)
    identity = _identity(fields, session.link.baud, chosen, expected or row)
    if mismatch is not None or probed is not None:
        identity = msgspec.structs.replace(identity, evidence="none")
    sends = {"ATI", *(query.send for query in chosen.identify if query.field in _VERSIONS)}
    printed = {send: lines for send, lines in queries.answered.items() if send in sends}
    return Findings(identity, chosen, expected or row, mismatch, printed)


def _probed(queries: QueryCache) -> Dialect | None:
    """Return the dialect whose test form the module answers; None unless it is exactly one.

    Only test forms are sent: the set form of the same word starts a flash on one vendor's module and a
    download on another's.
    """
    probes = [(profile.probe, profile) for profile in loader.recognisable() if profile.probe is not None]
    fitting = [
        profile for probe, profile in probes if probe.find(queries.lines(probe.send) or ()) is not None
    ]
    return fitting[0] if len(fitting) == 1 else None


def recognise(
    manufacturer: str, model: str, version: str, *, among: Sequence[Dialect] | None = None
) -> Dialect | None:
    """Return the dialect that the answers show: the most special one, then the one with the most patterns.

    Args:
        manufacturer: the module's answer to AT+CGMI.
        model: to AT+CGMM and ATI.
        version: to AT+CGMR.
        among: the dialects to choose from; all that are known if not given.
    """
    fitting = [
        (_pattern_count(profile.recognise), len(loader.ancestry(profile)), profile)
        for profile in (loader.recognisable() if among is None else among)
        if profile.recognise is not None and _fits(profile.recognise, manufacturer, model, version)
    ]
    return max(fitting, key=lambda entry: (entry[1], entry[0]))[2] if fitting else None


def require_consistent(findings: Findings) -> None:
    """Refuse a module whose answers contradict the user's word.

    Raises:
        Refused: they do.
    """
    if findings.mismatch is not None:
        raise Refused(
            findings.mismatch,
            hint="The answers win: leave --model out, or name the right one. Nothing was changed.",
        )


def _pattern_count(rule: Recognise | None) -> int:
    if rule is None:
        return 0
    return sum(pattern is not None for pattern in (rule.manufacturer, rule.model, rule.version))


def _fits(rule: Recognise, manufacturer: str, model: str, version: str) -> bool:
    answers = (
        (rule.manufacturer, manufacturer),
        (rule.model, f"{model}\n{version}"),
        (rule.version, version),
    )
    patterns = [(pattern, text) for pattern, text in answers if pattern is not None]
    return bool(patterns) and all(re.search(pattern, text, re.MULTILINE) for pattern, text in patterns)


def _mismatch(
    expected: catalogue.Row | None, row: catalogue.Row | None, dialect: Dialect | None
) -> str | None:
    """Say how the module differs from the user's word, or from its own name; None if it does not.

    The same name may hide another chip, so the family that the answers show has to be the row's own.
    """
    if expected is not None and row is not None and row.codes != expected.codes:
        return f"the module says it is a {row.vendor} {row.model}, not a {expected.model}"
    named = expected or row
    if named is None or named.method == "none":
        return None
    if dialect is not None:
        family = loader.ancestry(loader.load(named.dialect))
        if named.dialect in loader.ancestry(dialect) or dialect.name in family:
            return None
    shown = f"those of {dialect.title}" if dialect is not None else "not those of any known family"
    return f"the answers are {shown}; a {named.model} speaks {named.dialect}: another chip may be inside"


def _set_up(session: Session, dialect: Dialect) -> None:
    for command in dialect.setup or ("AT+CMEE=1",):
        send_query(session, command)


def _fields(
    queries: QueryCache,
    dialect: Dialect,
    only: Sequence[str] | None = None,
    *,
    without: Container[str] = (),
) -> dict[str, str]:
    """Return the values of the dialect's queries: of the fields in ``only``, or of all but ``without``."""

    def lines_of(send: str) -> tuple[str, ...] | None:
        return queries.lines(send, again=send not in once)

    once = {query.send for query in dialect.identify if query.field in _FOR_THE_RECORD}
    return _picked(dialect, lines_of, only, without=without)


def _picked(
    dialect: Dialect,
    lines_of: Callable[[str], tuple[str, ...] | None],
    only: Sequence[str] | None = None,
    *,
    without: Container[str] = (),
) -> dict[str, str]:
    """Return the values that the dialect reads in the lines of its queries."""
    fields: dict[str, str] = {}
    for query in dialect.identify:
        if query.field in fields or query.field in without or (only is not None and query.field not in only):
            continue
        lines = lines_of(query.send)
        value = query.find(lines) if lines else None
        if value and query.completes is not None:
            known = fields.get(query.completes)
            value = f"{known}_{value}" if known else None
        if value:
            fields[query.field] = value
    if "revision" not in fields and (match := _REVISION.search("\n".join(lines_of("ATI") or ()))):
        fields["revision"] = match[1]
    if "version" not in fields and (token := version_token(fields.get("revision", ""))):
        fields["version"] = token  # too long for the platform, or a build's stamp stands behind it
    return fields


def _identity(fields: dict[str, str], baud: int, dialect: Dialect, row: catalogue.Row | None) -> Identity:
    return Identity(
        manufacturer=fields.get("manufacturer"),
        model=fields.get("model"),
        version=fields.get("version"),
        revision=fields.get("revision"),
        full_version=fields.get("full_version"),
        imei=fields.get("imei") or None,
        serial=fields.get("serial"),
        signal=whole_number(fields.get("signal")),
        supply_mv=whole_number(fields.get("supply_mv")),
        battery_percent=whole_number(fields.get("battery_percent")),
        baud=baud,
        dialect=dialect.name,
        method=dialect.method.kind if dialect.method is not None else "none",
        evidence=row.evidence if row is not None and row.method != "none" else dialect.evidence,
        manuf_code=row.manuf_code if row is not None else None,
        model_code=row.model_code if row is not None else None,
    )


def read_versions(session: Session) -> Versions:
    """Return the version texts, as the dialect picks them, read anew.

    Raises:
        NoAnswer: the module did not answer in time.
        ModuleRebooted: it rebooted meanwhile.
    """
    fields = _fields(QueryCache(session), session.dialect, _VERSIONS)
    return Versions(
        version=fields.get("version"), revision=fields.get("revision"), full=fields.get("full_version")
    )


def read_imei(session: Session) -> str | None:
    """Return the module's IMEI, read anew; None if it prints none.

    Raises:
        NoAnswer: the module did not answer in time.
        ModuleRebooted: it rebooted meanwhile.
    """
    first = _fields(QueryCache(session), session.dialect, ("imei",)).get("imei")
    return _checked_imei(session, first) if first else None


def _confirmed(session: Session, versions: dict[str, str]) -> dict[str, str]:
    """Return the versions that the module reports twice alike: the wire has no checksum of its own.

    One bit makes SP3 of SP2, and with it another request to the platform and another outcome.

    Raises:
        NoAnswer: it reports different ones each time.
    """
    readings = [versions]
    for _ in range(_ATTEMPTS):
        reading = _fields(QueryCache(session), session.dialect, _VERSIONS)
        if reading in readings:
            return reading
        readings.append(reading)
    listed = ", ".join(repr(reading.get("version", "")) for reading in readings)
    raise NoAnswer(
        f"the module reports a different version on every query: {listed}",
        hint="The line damages bytes: check ground, cable length and level shifters, or try a lower rate.",
    )


def _checked_imei(session: Session, first: str) -> str:
    """Return the module's IMEI, ``first`` if its check digit fits; without one that fits, what comes twice.

    The journal knows a module by its IMEI: with a digit that was lost on the way it is a stranger's.
    """
    reports = [first]
    for _ in range(_ATTEMPTS):
        if is_unique_imei(reports[-1]) or reports.count(reports[-1]) > 1:
            break
        reports.append(_fields(QueryCache(session), session.dialect, ("imei",)).get("imei", ""))
    return reports[-1]
