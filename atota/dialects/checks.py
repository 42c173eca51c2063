"""The mistakes of a profile: in its shape, in its values, and between parts that do not fit each other.

Pure: profiles in, mistakes out. Each rule is one function, listed in `_RULES`; the rules of a method are in
its spec.
"""

import copy
import re
import string
import types
from collections.abc import Iterator, Sequence
from typing import Any, Union, get_args, get_origin

import msgspec

from atota.at.syntax import command_name
from atota.dialects import layers
from atota.dialects.common import Ask, Command, Pattern, Range, Word, parts, pattern_problem, texts
from atota.dialects.layers import Layer, place_of
from atota.dialects.model import Dialect, sends
from atota.dialects.ranges import bounds
from atota.dialects.watch import Codes
from atota.files import shape_hint
from atota.values import STAGES

_MAY_BE_ZERO = {"pause_after_final_s", "pause_s", "continuation", "ignored_bytes"}
_MOST_BAUD = 4_000_000  # SIM7000 goes to 4 Mbit/s (AT Command Manual V1.06, IPR)
_DAY_S = 86_400.0
_MOST = 2**53  # beyond it a float does not count, and beyond that an int does not fit a float

_PLACE = re.compile(r" - at `(?:key in )?\$?(?P<inner>[^`]*)`$")
_UNKNOWN = "Object contains unknown field "
"""The beginning of a mistake's text where a key is unknown; the key follows in backticks."""

Mistakes = Iterator[tuple[str, str]]


class Mistake(msgspec.Struct, frozen=True):
    """One mistake: the file it is in, what is wrong, its path in that file, and the names known there."""

    file: str
    what: str
    path: str
    hint: str | None = None

    def __str__(self) -> str:
        return f"{self.file}: {self.what} - at `{self.path}`"


def mistakes(chain: Sequence[Layer]) -> list[Mistake]:
    """Return all mistakes of the profile that these files make up, each in the file that holds it.

    The meaning of the values is checked only once all types are right and no field is missing.
    """
    tables = layers.values(layers.merge(chain))
    wrong = list(shape_mistakes(tables, Dialect))
    dialect = _without_unknown_keys(tables, wrong)
    if dialect is not None:
        wrong += [mistake for rule in _RULES for mistake in rule(dialect)]
    if _is_named_by_file(chain[0]) and tables.get("name", chain[0].name) != (name := chain[0].name):
        wrong.append(("$.name", f"The file is called {name}.toml, so the name must be {name!r}"))
    return list(dict.fromkeys(_placed(chain, path, what) for path, what in wrong))


def _placed(chain: Sequence[Layer], path: str, what: str) -> Mistake:
    hint = shape_hint(f"{what} - at `{path}`", Dialect)
    if what.startswith(_UNKNOWN):
        key = what.removeprefix(_UNKNOWN)[1:-1]
        file, in_file = place_of(chain, f"{path}.{key}")
        return Mistake(file, what, in_file.removesuffix(f".{key}"), hint)
    file, in_file = place_of(chain, path)
    return Mistake(file, what, in_file, hint)


def _is_named_by_file(layer: Layer) -> bool:
    """True if users may name the file without its folder: then its name must be the dialect's."""
    return layer.path is None or layer.path.parent.name == "dialects"


def _without_unknown_keys(tables: dict[str, Any], wrong: list[tuple[str, str]]) -> Dialect | None:
    """Return the profile without its unknown keys, if its shape has no other mistakes."""
    tables = copy.deepcopy(tables)
    for path, what in wrong:
        if not what.startswith(_UNKNOWN):
            return None
        table: Any = tables
        for key, index in re.findall(r"\.([^.\[]+)|\[(\d+)\]", path):
            table = table[key] if key else table[int(index)]
        del table[what.removeprefix(_UNKNOWN)[1:-1]]
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
            yield f"{path}.source", f"Unknown source {source!r}; [sources] has: {known}"


def _patterns(dialect: Dialect) -> Mistakes:
    for text in texts(dialect, Pattern):
        yield from ((text.path, what) for what in _pattern(text.value, text.role.groups))


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
    """Check the grammar as the parser reads it: as bytes, all lines of a boot banner as one pattern."""
    boot = dialect.grammar.boot
    for index, byte in enumerate(dialect.grammar.ignored_bytes):
        if byte > 255:
            yield f"$.grammar.ignored_bytes[{index}]", f"{byte} is not a byte"
    if boot is not None and not boot.lines:
        yield "$.grammar.boot.lines", "Without a line no boot is ever recognised"
    for text in texts(dialect.grammar, Pattern, "$.grammar"):
        problem = pattern_problem(f"(?:{text.value})".encode())
        if problem and pattern_problem(text.value) is None:
            yield text.path, problem
    if boot is not None and not any(pattern_problem(line) for line in boot.lines):
        joined = "|".join(f"(?:{line})" for line in boot.lines)
        if problem := pattern_problem(joined.encode()):
            yield "$.grammar.boot.lines", f"Together they are not a regular expression: {problem}"


def _words(dialect: Dialect) -> Mistakes:
    for text in texts(dialect, Word):
        if not text.value:
            yield text.path, "It is empty"
        elif "\\" in text.value or " ?" in text.value:
            yield text.path, f"{text.value!r} is compared letter for letter: it is not a regular expression"


def _commands(dialect: Dialect) -> Mistakes:
    limit = dialect.uart.command_line_limit
    for send in sends(dialect):
        path = send.path.split(" ")[0]
        if not re.fullmatch(r"AT[ -~]*", send.text):
            yield path, f"{send.text!r} is not a command: AT and printable ASCII are expected"
        elif len(send.text) >= limit:
            yield path, f"{send.text!r} is longer than the command line's {limit} characters"
    for text in texts(dialect, Command):
        yield from ((text.path, what) for what in _template(text.value, text.role))
        if not text.value.endswith(text.role.ends):
            yield text.path, f"{text.value!r} is not a harmless form: it must end in {text.role.ends!r}"


def _template(text: str, role: Command) -> Iterator[str]:
    try:
        used = {field for _, field, *_ in string.Formatter().parse(text) if field is not None}
    except ValueError as error:
        yield f"{text!r} has braces that do not pair: {error}"
        return
    for name in sorted(used - set(role.possible)):
        possible = ", ".join(f"{{{one}}}" for one in role.possible) or "none"
        yield f"{text!r} has the placeholder {{{name}}}, which nothing fills in; possible here: {possible}"
    for name in role.required:
        if name not in used:
            yield f"{text!r} lacks the placeholder {{{name}}}"


def _harmless(dialect: Dialect) -> Mistakes:
    """Check that identification sends no command that writes or starts (27.007 has no such command)."""
    if dialect.method is None:
        return
    acting = {command_name(s.text) for s in sends(dialect) if s.path.startswith("$.method")} - {""}
    harmless = {command_name(part.send) for _, part, _ in parts(dialect.method) if isinstance(part, Ask)}
    for index, query in enumerate(dialect.identify):
        name = command_name(query.send)
        if name in acting - harmless and not query.send.endswith("?"):
            yield (
                f"$.identify[{index}].send",
                f"{query.send!r} is a command of the update: it must not be used to identify",
            )


def _numbers(dialect: Dialect) -> Mistakes:
    for path, value in _leaves(dialect, "$"):
        name = re.sub(r"\[\d+\]$", "", path).rpartition(".")[2]
        if not abs(value) <= _MOST:  # neither is NaN
            yield path, f"{str(value)[:40]} must be a finite number below 2**53"
        elif value < 0 or (value == 0 and name not in _MAY_BE_ZERO and not path.startswith("$.weights.")):
            yield path, f"{value} is too small: it must be above 0"
        elif name.endswith("_s") and value > _DAY_S:
            yield path, f"{value:g} seconds are more than a day"
        elif "baud" in path and value > _MOST_BAUD:
            yield path, f"no module runs at {value} bit/s"


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
            yield path, "A rate is listed twice"


def _codes(dialect: Dialect) -> Mistakes:
    """Check that each range of a number can be read, and that no number has two meanings."""
    for text in texts(dialect, Range):
        if bounds(text.value) is None:
            yield text.path, f"{text.value!r} is not a range of numbers, such as '0-100', '128' or '129-'"
    for path, part, _ in parts(dialect):
        if isinstance(part, Codes):
            yield from ((f"{path}{below}", what) for below, what in part.mistakes())


def _method(dialect: Dialect) -> Mistakes:
    """Yield the mistakes that the method's own spec finds."""
    if dialect.method is not None:
        limit = dialect.uart.command_line_limit
        yield from ((f"$.method{path}", what) for path, what in dialect.method.mistakes(limit))


def _whole(dialect: Dialect) -> Mistakes:
    """Check the parts that need each other."""
    reboot, boot = dialect.reboot, dialect.grammar.boot
    if dialect.method is not None and reboot is None:
        yield "$", "A profile with a method needs [reboot]: how long to wait, and how long it takes"
    if reboot is not None:
        if reboot.usual_s > reboot.limit_s:
            yield "$.reboot.usual_s", f"{reboot.usual_s:g} s is more than limit_s, {reboot.limit_s:g} s"
        if reboot.longest_s is not None and reboot.longest_s < reboot.limit_s:
            yield "$.reboot.longest_s", f"{reboot.longest_s:g} s is less than limit_s, {reboot.limit_s:g} s"
        if reboot.update_causes and (boot is None or boot.cause is None):
            yield "$.reboot.update_causes", "Without $.grammar.boot.cause no cause is ever read"
    rule = dialect.recognise
    if rule is not None and not any((rule.manufacturer, rule.model, rule.version)):
        yield "$.recognise", "It has no pattern: leave it out if no response shows this dialect"
    for index, step in enumerate(dialect.prepare):
        if (step.ask is None) != (step.when is None):
            yield f"$.prepare[{index}]", "`ask` and `when` go together"
    if "version" not in {query.field for query in dialect.identify}:
        yield "$.identify", "No query reads the version: without it no update can be confirmed"


def _weights(dialect: Dialect) -> Mistakes:
    for name in dialect.weights:
        if name not in STAGES:
            yield f"$.weights.{name}", f"Unknown stage {name!r}; the stages: {', '.join(STAGES)}"
    if dialect.weights and not sum(dialect.weights.values()) > 0:
        yield "$.weights", "All of them are 0"


def _numbers_as_keys(dialect: Dialect) -> Mistakes:
    finals = tuple(final.text for final in dialect.grammar.finals)
    for code in dialect.errors:
        if not code.isdecimal() and not code.startswith(finals):
            yield f"$.errors.{code}", "An error's number is expected, or a final result of the grammar"


def _command_names(dialect: Dialect) -> Mistakes:
    for index, final in enumerate(dialect.grammar.finals):
        for name in final.commands:
            if not re.fullmatch(r"[+^%#$*&!\\][A-Z0-9_]+|[A-Z]", name):
                path = f"$.grammar.finals[{index}].commands"
                yield path, f"{name!r} is not a command's name, as in '+CIPSHUT' or 'D'"


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
    _codes,
    _method,
    _whole,
    _weights,
    _numbers_as_keys,
    _command_names,
)


def shape_mistakes(value: Any, kind: Any, path: str = "$") -> Iterator[tuple[str, str]]:
    """Yield ``(path, what is wrong)`` for each mistake that `msgspec` refuses in ``value`` as a ``kind``.

    `msgspec` stops at the first one; here each field is converted by itself, in `msgspec`'s own words.
    """
    below = list(_inner(value, kind, path))
    yield from below
    if not below:
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            text = str(error)
            inner = _PLACE.search(text)
            yield path + (inner["inner"] if inner else ""), _PLACE.sub("", text)


def _inner(value: Any, kind: Any, path: str) -> Iterator[tuple[str, str]]:
    if get_origin(kind) in (Union, types.UnionType):
        yield from _union(value, kind, path)
    elif isinstance(kind, type) and issubclass(kind, msgspec.Struct) and isinstance(value, dict):
        yield from _struct(value, kind, path)
    elif get_origin(kind) is tuple and isinstance(value, list):
        for index, entry in enumerate(value):
            yield from shape_mistakes(entry, get_args(kind)[0], f"{path}[{index}]")
    elif get_origin(kind) is dict and isinstance(value, dict):
        for key, entry in value.items():
            yield from shape_mistakes(entry, get_args(kind)[1], f"{path}.{key}")


def _union(value: Any, kind: Any, path: str) -> Iterator[tuple[str, str]]:
    structs = [one for one in get_args(kind) if isinstance(one, type) and issubclass(one, msgspec.Struct)]
    if not isinstance(value, dict) or not structs:
        return
    tag_field = structs[0].__struct_config__.tag_field
    if len(structs) > 1 and tag_field is not None:
        structs = [one for one in structs if one.__struct_config__.tag == value.get(tag_field)]
    if len(structs) == 1:
        yield from _struct(value, structs[0], path)


def _struct(value: dict[str, Any], kind: type[msgspec.Struct], path: str) -> Iterator[tuple[str, str]]:
    config = kind.__struct_config__
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for key in value:
        if key not in fields and key != config.tag_field and config.forbid_unknown_fields:
            yield path, f"{_UNKNOWN}`{key}`"
    for name, field in fields.items():
        if name in value:
            yield from shape_mistakes(value[name], field.type, f"{path}.{name}")
        elif field.required:
            yield path, f"Object missing required field `{name}`"
