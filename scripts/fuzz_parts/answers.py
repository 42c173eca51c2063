# ruff: noqa: SLF001 - the numbers of an identity are made where only a session leads to
"""The reading of a module's lines by profiles: identification, unsolicited lines, the patterns themselves."""

import functools
import importlib
import pkgutil
import re
from collections.abc import Iterable, Iterator

import atota
from atota.at.events import Event, view
from atota.at.urcs import UrcReader
from atota.dialects import catalogue
from atota.dialects.common import Ask, Pattern, Watch
from atota.dialects.model import Dialect, Query
from atota.dialects.texts import parts, texts
from atota.module import identify as identification
from scripts.fuzz_parts import seeds
from scripts.fuzz_parts.backtracking import TooMuch, steps_of_search
from scripts.fuzz_parts.target import MARK, Broken, Target, head, need

_STEPS_A_BYTE = 120  # three times what the worst pattern of today takes


# --- identification ----------------------------------------------------------------------------------


def identify(data: bytes) -> None:
    (kind, how), rest = head(data, 2)
    dialect = seeds.dialects()[kind % len(seeds.dialects())]
    answers = [view(answer).splitlines() for answer in rest.split(bytes([MARK]))] or [[]]
    manufacturer, model, version = ("\n".join(answers[n % len(answers)]) for n in range(3))
    # Both look at everything that there is, so they are not asked each time.
    if how % 4 == 0:
        identification.recognise(manufacturer, model, version)
    row = catalogue.find(manufacturer, model, version) if how % 4 == 1 else None
    fields: dict[str, str] = {}
    for query in dialect.identify:
        for lines in answers:
            value = query.find(tuple(lines))
            if value:
                need(value == value.strip(), "a field with blanks round it")
                fields.setdefault(query.field, value)
    identification._identity(fields, 9600, dialect, row)


def _identify_seeds() -> list[bytes]:
    inputs = []
    mark = bytes([MARK])
    for number, talk in enumerate(seeds.conversations()):
        replies = [
            turn.response.strip().removesuffix(b"OK").strip()
            for turn in talk
            if turn.command[:4] in ("AT+C", "ATI")
        ]
        if replies:
            inputs += [
                bytes([number % 40, at % 4]) + mark.join(replies[at : at + 3]) for at in range(len(replies))
            ]
    return inputs


# --- unsolicited lines -------------------------------------------------------------------------------


def urcs(data: bytes) -> None:
    (kind,), rest = head(data, 1)
    dialect = seeds.dialects()[kind % len(seeds.dialects())]
    listening = _hearers(kind % len(seeds.dialects()))
    reader, events = UrcReader(dialect.grammar.urcs), list[Event]()
    lines = [line for line in re.split(rb"[\r\n]+", rest) if line]
    for line in lines:
        reader.is_unsolicited(line)
        if reader.waiting:
            reader.go_on(line, events)
        else:
            reader.take(line, events)
        listen(listening, view(line))
    reader.cut(events)
    need(len(events) <= len(lines), "more events than lines")


Hearer = Watch | Query | Ask


def hearers(dialect: Dialect) -> list[Hearer]:
    """Everything in a profile that reads lines."""
    return [part for _, part, _ in parts(dialect) if isinstance(part, Hearer)]


@functools.cache
def _hearers(number: int) -> list[Hearer]:
    return hearers(seeds.dialects()[number])


def listen(hearers: Iterable[Hearer], line: str) -> None:
    """Ask all of them what they make of a line."""
    for part in hearers:
        if isinstance(part, Watch):
            for percent in (part.percent(line), part.fetched(line)):
                need(percent is None or 0 <= percent <= 100, f"{percent} is not a percentage")
            part.failure(line)
            part.begun(line)
            part.success(line)
        else:
            part.find((line,))


# --- the patterns themselves -------------------------------------------------------------------------


@functools.cache
def patterns() -> tuple[tuple[str, int, str], ...]:
    """Every regular expression of the project: the text, its flags and where it stands."""
    sources: dict[tuple[str, int], str] = {}
    for dialect in seeds.dialects():
        for text in texts(dialect, Pattern):
            flags = re.MULTILINE if isinstance(text.part, Query | Ask) else 0
            sources.setdefault((text.value, flags), f"{dialect.name} {text.path}")
    for row in catalogue.rows():
        for pattern in (*row.names, *row.vendor_names):
            compiled = catalogue._whole(pattern)
            sources.setdefault((compiled.pattern, compiled.flags), f"the catalogue's {row.model}")
    sources.update(_of_modules())
    return tuple((text, flags, where) for (text, flags), where in sources.items())


def _of_modules() -> Iterator[tuple[tuple[str, int], str]]:
    for module in pkgutil.walk_packages(atota.__path__, "atota."):
        if re.match(r"atota\.(at|dialects|ota|link|module|fota|otaserver|sim|values)\b", module.name):
            for name, value in vars(importlib.import_module(module.name)).items():
                if isinstance(value, re.Pattern):
                    text = (
                        value.pattern if isinstance(value.pattern, str) else value.pattern.decode("latin-1")
                    )
                    yield (text, value.flags & ~re.UNICODE), f"{module.name}.{name}"


def work(data: bytes) -> None:
    (high, low), rest = head(data, 2)
    known = patterns()
    pattern, flags, where = known[(high << 8 | low) % len(known)]
    text = rest.decode("latin-1")
    most = _STEPS_A_BYTE * (len(text) + 10)
    try:
        steps_of_search(pattern, flags, text, most, anchored=where.startswith("atota."))
    except TooMuch:
        raise Broken(f"{pattern!r} ({where}) takes over {most} steps for {len(text)} characters") from None


def _work_seeds() -> list[bytes]:
    lines = seeds.lines()
    return [
        bytes([number >> 8, number & 255]) + lines[number * 7 % len(lines)]
        for number in range(len(patterns()))
    ]


def _literals() -> list[bytes]:
    """Return the literal text in patterns: the words that bring inputs into them."""
    words = {word.encode() for text, _, _ in patterns() for word in re.findall(r"[\w\"+^#*:, -]{3,}", text)}
    return sorted(words)


TARGETS = (
    Target(
        name="identify",
        promise="any answers to CGMI, CGMM, CGMR, ATI, CGSN…: no exception in any profile or the catalogue",
        check=identify,
        seeds=_identify_seeds,
        words=lambda: [
            *_literals(),
            b"\n",
            b"\r\n",
            bytes([MARK]),
            b"Revision:",
            b"+CGSN: ",
            b"\x1c",
            b"\xd9\xa3",
        ],
        longest=6000,
    ),
    Target(
        name="urcs",
        promise="any lines: no exception in any profile's table or its way of watching; percentages 0-100",
        check=urcs,
        seeds=lambda: [bytes([n % 40]) + line + b"\r\n" for n, line in enumerate(seeds.lines())],
        longest=6000,
        words=lambda: [*_literals(), b"\r\n", b",", b": ", b'"', b"100"],
    ),
    Target(
        name="patterns",
        promise="any text: every pattern of a profile searches it, and any other reads on from any place, "
        "in steps in proportion to its length",
        check=work,
        seeds=_work_seeds,
        words=lambda: [*_literals(), b"a" * 20, b"1" * 20, b" " * 20, b"\n" * 5, b"."],
        longest=200,
    ),
)
