"""What is wrong with a profile that has the right shape: values that cannot be, and parts that do not fit.

Pure: profiles in, mistakes out. What is checked is in the rules at the end, one function each.
"""

import copy
import re
import string
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from atota.at.syntax import command_name
from atota.dialects import loader
from atota.dialects.anatomy import COMMANDS, PATTERNS, WORDS, parts, sends, texts
from atota.dialects.loader import Layer
from atota.dialects.model import BlockRule, Dialect, Nfwupd
from atota.dialects.parts import pattern_problem
from atota.dialects.provenance import place_of
from atota.dialects.shape import UNKNOWN, shape_mistakes
from atota.dialects.streams import FileAppend, FlashWrite, UrlPull
from atota.values import STAGES as STAGES

_MAY_BE_ZERO = {"pause_after_final_s", "pause_s", "continuation", "ignored_bytes"}
_MOST_BAUD = 4_000_000  # SIM7000 goes to 4 Mbit/s (AT Command Manual V1.06, IPR)
_DAY_S = 86_400.0
_MOST = 2**53  # beyond it a float does not count, and beyond that an int is no float
_LONGEST_LINE_HEAD = len("=1,99999,9999,") + len(",FF\r")

Mistakes = Iterator[tuple[str, str]]


class Mistake(msgspec.Struct, frozen=True):
    """One mistake: the file it is in, what is wrong, and its path in that file."""

    file: str
    what: str
    path: str

    def __str__(self) -> str:
        return f"{self.file}: {self.what} - at `{self.path}`"


def mistakes(chain: Sequence[Layer]) -> list[Mistake]:
    """Everything that is wrong with the profile that these files make up, in the files it is wrong in.

    As long as types are wrong or fields are missing, what the values mean is not looked at.
    """
    tables = loader.merged(chain)
    found = list(shape_mistakes(tables, Dialect))
    dialect = _as_far_as_known(tables, found)
    if dialect is not None:
        found += [mistake for rule in _RULES for mistake in rule(dialect)]
    if _found_by_name(chain[0]) and tables.get("name", chain[0].name) != (name := chain[0].name):
        found.append(("$.name", f"The file is called {name}.toml, so the name must be {name!r}"))
    return list(dict.fromkeys(_placed(chain, path, what) for path, what in found))


def _placed(chain: Sequence[Layer], path: str, what: str) -> Mistake:
    if what.startswith(UNKNOWN):
        key = what.removeprefix(UNKNOWN)[1:-1]
        file, place = place_of(chain, f"{path}.{key}")
        return Mistake(file, what, place.removesuffix(f".{key}"))
    file, place = place_of(chain, path)
    return Mistake(file, what, place)


def _found_by_name(layer: Layer) -> bool:
    """Whether the file is, or could be, named without its folder: then its name has to be the dialect's."""
    return layer.path is None or layer.path.parent.name == "dialects"


def _as_far_as_known(tables: dict[str, Any], found: list[tuple[str, str]]) -> Dialect | None:
    """The profile without its unknown keys, if they are all that is wrong with its shape."""
    tables = copy.deepcopy(tables)
    for path, what in found:
        if not what.startswith(UNKNOWN):
            return None
        place: Any = tables
        for key, index in re.findall(r"\.([^.\[]+)|\[(\d+)\]", path):
            place = place[key] if key else place[int(index)]
        del place[what.removeprefix(UNKNOWN)[1:-1]]
    try:
        return msgspec.convert(tables, Dialect)
    except msgspec.ValidationError:  # a part makes no sense without the key that was misspelt
        return None


def _names(dialect: Dialect) -> Mistakes:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", dialect.name):
        yield "$.name", "Small letters, digits and hyphens are expected"
    if not dialect.title.strip():
        yield "$.title", "It is empty"
    for name, text in dialect.sources.items():
        if not text.strip():
            yield f"$.sources.{name}", "It is empty: name the document, its revision and chapter"


def _sources(dialect: Dialect) -> Mistakes:
    for path, part, _ in parts(dialect):
        source = getattr(part, "source", None)
        if source is not None and source not in dialect.sources:
            known = ", ".join(dialect.sources)
            yield f"{path}.source", f"There is no source {source!r} in [sources]; there are: {known}"


def _patterns(dialect: Dialect) -> Mistakes:
    for path, part, _ in parts(dialect):
        for field, groups in PATTERNS.get(type(part), {}).items():
            for where, text in texts(part, field, path):
                yield from ((where, what) for what in _pattern(text, groups))


def _pattern(text: str, groups: int) -> Iterator[str]:
    if problem := pattern_problem(text):
        yield problem
        return
    compiled = re.compile(text)
    if compiled.groups < groups:
        yield f"{text!r} needs {groups} group{'s' * (groups > 1)} in parentheses, and has {compiled.groups}"
    if compiled.search(""):
        yield f"{text!r} matches every line"


def _grammar(dialect: Dialect) -> Mistakes:
    """What only the parser finds out: it reads bytes, and all lines of a boot banner as one pattern."""
    boot = dialect.grammar.boot
    for index, byte in enumerate(dialect.grammar.ignored_bytes):
        if byte > 255:
            yield f"$.grammar.ignored_bytes[{index}]", f"{byte} is no byte"
    if boot is not None and not boot.lines:
        yield "$.grammar.boot.lines", "Without a line no boot is ever seen"
    for path, part, _ in parts(dialect.grammar, "$.grammar"):
        for field in PATTERNS.get(type(part), {}):
            for where, text in texts(part, field, path):
                if pattern_problem(text) is None and (problem := pattern_problem(f"(?:{text})".encode())):
                    yield where, problem
    if boot is not None and not any(pattern_problem(line) for line in boot.lines):
        joined = "|".join(f"(?:{line})" for line in boot.lines)
        if problem := pattern_problem(joined.encode()):
            yield "$.grammar.boot.lines", f"Together they are no regular expression: {problem}"


def _words(dialect: Dialect) -> Mistakes:
    for path, part, _ in parts(dialect):
        for field in WORDS.get(type(part), ()):
            for where, text in texts(part, field, path):
                if not text:
                    yield where, "It is empty"
                elif "\\" in text or " ?" in text:
                    yield where, f"{text!r} is compared letter for letter: it is no regular expression"


def _commands(dialect: Dialect) -> Mistakes:
    limit = dialect.uart.command_line_limit
    for send in sends(dialect):
        if not re.fullmatch(r"AT[ -~]*", send.text):
            yield send.path.split(" ")[0], f"{send.text!r} is no command: AT and printable ASCII are expected"
        elif len(send.text) >= limit:
            yield (
                send.path.split(" ")[0],
                f"{send.text!r} is longer than the command line's {limit} characters",
            )
    for path, part, _ in parts(dialect):
        for field, filled in COMMANDS.get(type(part), {}).items():
            for where, text in texts(part, field, path):
                yield from ((where, what) for what in _template(text, filled.split()))
        for field, ending in (("test", "=?"), ("ask", "?")):
            for where, text in texts(part, field, path) if hasattr(part, field) else ():
                if not text.endswith(ending):
                    yield where, f"{text!r} is no harmless question: it must end in {ending!r}"


def _template(text: str, filled: list[str]) -> Iterator[str]:
    try:
        used = {field for _, field, *_ in string.Formatter().parse(text) if field is not None}
    except ValueError as error:
        yield f"{text!r} has braces that do not pair: {error}"
        return
    for name in sorted(used - {name.lstrip("?") for name in filled}):
        can = ", ".join(f"{{{one.lstrip('?')}}}" for one in filled) or "none"
        yield f"{text!r} has the placeholder {{{name}}}, which nothing fills in; possible here: {can}"
    for name in filled:
        if not name.startswith("?") and name not in used:
            yield f"{text!r} lacks the placeholder {{{name}}}"


def _harmless(dialect: Dialect) -> Mistakes:
    """Identification must not send a word that writes or starts (27.007 knows no such word)."""
    if dialect.method is None:
        return
    acting = {command_name(s.text) for s in sends(dialect) if s.path.startswith("$.method")} - {""}
    harmless = {command_name(a.send) for _, a, _ in parts(dialect.method) if hasattr(a, "pattern")}
    for index, query in enumerate(dialect.identify):
        name = command_name(query.send)
        if name in acting - harmless and not query.send.endswith("?"):
            yield f"$.identify[{index}].send", f"{query.send!r} is a command of the update: never ask with it"


def _numbers(dialect: Dialect) -> Mistakes:
    for path, value in _leaves(dialect, "$"):
        name = re.sub(r"\[\d+\]$", "", path).rpartition(".")[2]
        if not abs(value) <= _MOST:  # neither is NaN
            yield path, f"{str(value)[:40]} is no number to count on"
        elif value < 0 or (value == 0 and name not in _MAY_BE_ZERO and not path.startswith("$.weights.")):
            yield path, f"{value} is too small: it must be above 0"
        elif name.endswith("_s") and value > _DAY_S:
            yield path, f"{value:g} seconds are more than a day"
        elif "baud" in path and value > _MOST_BAUD:
            yield path, f"no module talks at {value} bit/s"


def _leaves(value: Any, path: str) -> Iterator[tuple[str, float]]:
    if isinstance(value, msgspec.Struct):
        for name, key in zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True):
            yield from _leaves(getattr(value, name), f"{path}.{key}")
    elif isinstance(value, dict):
        for key, entry in value.items():
            yield from _leaves(entry, f"{path}.{key}")
    elif isinstance(value, tuple):
        for index, entry in enumerate(value):
            yield from _leaves(entry, f"{path}[{index}]")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path, value


def _rates(dialect: Dialect) -> Mistakes:
    uart = dialect.uart
    lists = {"$.uart.bauds": uart.bauds, "$.uart.after_update": uart.after_update}
    if not uart.bauds:
        yield "$.uart.bauds", "At least one rate is needed"
    if uart.raising is not None:
        lists["$.uart.raising.bauds"] = uart.raising.bauds
        if uart.raising.default not in uart.raising.bauds:
            yield "$.uart.raising.default", f"{uart.raising.default} is not in $.uart.raising.bauds"
    for path, rates in lists.items():
        if len(set(rates)) != len(rates):
            yield path, "A rate stands in it twice"


def _blocks(dialect: Dialect) -> Mistakes:
    method = dialect.method
    if not isinstance(method, Nfwupd):
        return
    rule, path = method.blocks, "$.method.blocks"
    for length in sorted({rule.default, *rule.only}):
        if length > rule.largest:
            yield path, f"{length} is above the largest, {rule.largest}"
    if rule.only and rule.default not in rule.only:
        yield f"{path}.default", f"{rule.default} is not in `only`"
    yield from _multiples(rule, path)
    needed = len(method.command) + _LONGEST_LINE_HEAD + 2 * rule.largest
    if needed > (limit := dialect.uart.command_line_limit):
        yield f"{path}.largest", f"{rule.largest} bytes in hex need {needed} characters; a line has {limit}"


def _multiples(rule: BlockRule, path: str) -> Mistakes:
    if rule.multiple > 0 and not rule.only:
        for name in ("default", "largest"):
            if getattr(rule, name) % rule.multiple:
                yield f"{path}.{name}", f"{getattr(rule, name)} is no multiple of {rule.multiple}"


def _hex_blocks(dialect: Dialect) -> Mistakes:
    method = dialect.method
    if not isinstance(method, Nfwupd):
        return
    if not re.fullmatch(r"AT[+^%$#*&]\w+", method.command):
        yield "$.method.command", f"{method.command!r} is not a command's bare name, such as 'AT+NFWUPD'"
    elif method.answer.rstrip(": ") != method.command[2:]:
        yield "$.method.answer", f"{method.answer!r} does not begin as {method.command} answers"
    if not method.valid and not method.bare_ok_is_valid:
        yield "$.method.valid", "Nothing that the module could say would be taken for a valid package"
    for status in method.valid:
        if status.startswith(method.not_yet) and method.not_yet:
            yield "$.method.not_yet", f"{status} would mean both valid and not yet valid"


def _streams(dialect: Dialect) -> Mistakes:
    method = dialect.method
    if isinstance(method, FlashWrite) and method.piece > method.erase_block:
        yield "$.method.piece", f"{method.piece} is more than an erase block, {method.erase_block}"
    if isinstance(method, FileAppend):
        if not method.good_outcomes:
            yield "$.method.good_outcomes", "No answer to the outcome's question would be a good one"
        if method.read is not None and method.read_header is None:
            yield "$.method.read_header", "`read` needs it: the count of bytes that follow"
    if isinstance(method, UrlPull) and not method.schemes:
        yield "$.method.schemes", "At least one is needed"


def _whole(dialect: Dialect) -> Mistakes:
    """Parts that need each other."""
    reboot, boot = dialect.reboot, dialect.grammar.boot
    if dialect.method is not None and reboot is None:
        yield "$", "A profile with a method needs [reboot]: how long to wait, and how long it takes"
    if reboot is not None:
        if reboot.usual_s > reboot.limit_s:
            yield "$.reboot.usual_s", f"{reboot.usual_s:g} s is more than limit_s, {reboot.limit_s:g} s"
        if reboot.update_causes and (boot is None or boot.cause is None):
            yield "$.reboot.update_causes", "Without $.grammar.boot.cause no cause is ever seen"
    rule = dialect.recognise
    if rule is not None and not any((rule.manufacturer, rule.model, rule.version)):
        yield "$.recognise", "It has no pattern: leave it out if nothing shows this dialect"
    for index, step in enumerate(dialect.prepare):
        if (step.ask is None) != (step.when is None):
            yield f"$.prepare[{index}]", "`ask` and `when` go together"
    if "version" not in {query.field for query in dialect.identify}:
        yield "$.identify", "No query reads the version, and without it nothing can be confirmed"


def _weights(dialect: Dialect) -> Mistakes:
    for name in dialect.weights:
        if name not in STAGES:
            yield f"$.weights.{name}", f"There is no stage {name!r}; the stages: {', '.join(STAGES)}"
    if dialect.weights and not sum(dialect.weights.values()) > 0:
        yield "$.weights", "All of them are 0"


def _numbers_as_keys(dialect: Dialect) -> Mistakes:
    for code in dialect.errors:
        if not code.isdecimal():
            yield f"$.errors.{code}", "An error's number is expected"


def _command_names(dialect: Dialect) -> Mistakes:
    for index, final in enumerate(dialect.grammar.finals):
        for name in final.commands:
            if not re.fullmatch(r"[+^%#$*&!\\][A-Z0-9_]+|[A-Z]", name):
                path = f"$.grammar.finals[{index}].commands"
                yield path, f"{name!r} is no command's name, as in '+CIPSHUT' or 'D'"


_RULES = (
    _names,
    _sources,
    _patterns,
    _grammar,
    _words,
    _commands,
    _harmless,
    _numbers,
    _rates,
    _blocks,
    _hex_blocks,
    _streams,
    _whole,
    _weights,
    _numbers_as_keys,
    _command_names,
)
