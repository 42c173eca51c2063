"""The pages of `docs/` that are made from the profiles, the catalogue and the local platform, as Markdown."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from atota.dialects import catalogue, loader
from atota.dialects.catalogue import Row
from atota.dialects.common import Command, Pattern, Word, texts
from atota.dialects.dump import explain
from atota.dialects.layers import Origin
from atota.dialects.model import sends
from atota.values import STAGES
from scripts.docs_parts.platform import platform_page

TYPES = {"fota": "module firmware (`--type fota`)", "sota": "application firmware (`--type sota`)"}
EVIDENCE = {
    "documented": "the vendor's manual or application note has the method for this module",
    "family": "the method is documented for the same chip's firmware or for a sister module",
    "inferred": "no document has the method for these modules; an update needs `--allow-unproven`",
    "none": "no document has a method for a module that only this profile describes",
}
BY_ROW = "the rows below decide; any other module needs `--allow-unproven`"
ORDER = ("at first", *STAGES, "given up", "update")
WHEN = {
    "test": "plan: the module has the method (a test form)",
    "begin": "prepare: the file system is opened",
    "free": "prepare: the room that is left",
    "delete": "prepare: an old package is removed",
    "erase": "prepare: the slot is erased",
    "attached": "prepare: the module has a network",
    "log_in": "prepare: the module logs in at the platform",
    "log_out": "prepare: if a step is refused, an earlier log-in is removed",
    "open": "write: the transfer is opened",
    "write": "write: each piece",
    "download": "write: each block",
    "size": "write: the bytes stored so far",
    "read": "validate: with `--verify read-back`",
    "validate": "validate: the module checks the package",
    "end": "validate: the file system is closed",
    "clear": "activate: the old result is cleared",
    "start": "activate: the update is started",
    "outcome": "confirm: the module's own result",
}
"""The stage of each command of a method, by its field in the profile."""
WORDS = ("errors", "statuses", "words", "outcome_words", "stages", "refused_magic")
_INDEX = """\
# Profiles

A profile is the data of one family of modules: each command that is sent, its source, the limits.
`atota dialects show NAME` prints one as TOML with the origin of each value. Where the evidence is *none* and
there is a method, the rows of the [table of modules](../modules.md) have the evidence.
"""
_MODULES = """\
# The modules of the platform's table

`atota modules` prints it. **Evidence** is the reason to believe that the method works there:

- *documented*: the vendor's manual or application note has the method for this module;
- *family*: the method is documented for the same chip's firmware or for a sister module;
- *inferred*: no document has the method for it; an update needs `--allow-unproven`;
- *none*: no method is known. The module is identified, and its task is read; it is not updated.

No row has been seen on hardware by us.
"""
COLUMNS = ("vendor", "model", "codes", "chip", "profile", "method", "evidence", "source")


def documents() -> dict[str, str]:
    """Return the text of every generated file, by its place in ``docs/``."""
    pages = [Page(name) for name in loader.names()]
    files = {f"profiles/{page.dialect.name}.md": page.text() for page in pages}
    others = {"profiles/README.md": _index(pages), "modules.md": _modules(), "platform.md": platform_page()}
    return files | others


def cell(text: object) -> str:
    """Return a text as the cell of a table."""
    return " ".join(str(text).replace("``", "`").split()).replace("<", "&lt;")


def code(text: object) -> str:
    """Return a text as code, in more back-ticks than it has itself."""
    plain = str(text).replace("\n", " ")
    fence = "`" * (max(map(len, re.findall("`+", plain)), default=0) + 1)
    pad = " " if plain[:1] == "`" or plain[-1:] == "`" else ""
    return f"{fence}{pad}{plain}{pad}{fence}"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table; none if it has no rows."""
    lines = ["| " + " | ".join(text.replace("|", "\\|") for text in row) + " |" for row in rows]
    return ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads), *lines, ""] if lines else []


def value(given: Any) -> str:
    """Return a value of a profile as text."""
    if isinstance(given, dict):
        return ", ".join(
            f"{key} {value(inner)}" for key, inner in given.items() if inner not in (None, 0, [], False)
        )
    if isinstance(given, list | tuple):
        return ", ".join(map(value, given))
    return code(str(given).lower() if isinstance(given, bool) else given)


class Page:
    """The page of one profile."""

    def __init__(self, name: str) -> None:
        self.dialect = loader.load(name)
        self.parents = [layer.name for layer in loader.layers(name)][1:]
        self.origins = explain(name)
        self.rows = [row for row in catalogue.rows() if row.dialect == name]

    def text(self) -> str:
        """Return the page."""
        dialect = self.dialect
        parts = {
            "Modules of the platform's table": table(COLUMNS, (_cells(row, "") for row in self.rows)),
            "Commands": self._commands(),
            "Settings": self._settings(),
            "Responses and unsolicited lines": self._lines(),
            "Meanings": self._words(),
            "Sources": [*(f"- {code(name)}: {cell(text)}" for name, text in dialect.sources.items()), ""],
        }
        lines = [f"# {dialect.name}", "", f"{cell(dialect.title)}.", "", *self._head(), ""]
        for title, part in parts.items():
            lines += [f"## {title}", "", *part] if part else []
        file = f"atota/dialects/profiles/{dialect.name}.toml"
        return "\n".join([*lines, f"_Written by `scripts/docs` from `{file}`; do not edit._"]) + "\n"

    def _head(self) -> Iterator[str]:
        dialect, spec = self.dialect, self.dialect.method
        by_row = dialect.evidence == "none" and spec is not None and self.rows
        yield f"- Evidence: **{dialect.evidence}**: {BY_ROW if by_row else EVIDENCE[dialect.evidence]}."
        yield f"- Hardware: {dialect.hardware}."
        yield f"- Inherits: {' > '.join(f'[{name}]({name}.md)' for name in self.parents) or 'nothing'}."
        for field in dialect.recognise.__struct_fields__ if dialect.recognise else ():
            if pattern := getattr(dialect.recognise, field):
                yield f"- Recognised by {field}: {code(pattern)}"
        if spec is None:
            yield "- Method: none. The module is identified, and its task is read; it is not updated."
            return
        first = (type(spec).__doc__ or "").strip().split("\n\n")[0]
        yield f"- Method: {code(spec.kind)}: {cell(first)}"
        yield f"- Source of the method: {self._source(spec.source)}."
        if dialect.platform_makes_deltas:
            yield "- Difference packages that OneNET makes for this chip do not fit: see `--vendor-package`."

    def _commands(self) -> list[str]:
        commands = sends(self.dialect)
        known = {command.text: command.source for command in commands if command.source}
        rows = []
        for command in commands:
            standard = "27007" if command.text.startswith("AT+CMEE=") else None
            identifier = command.source or known.get(command.text) or standard
            rows.append((self._when(command.path), code(command.text), self._source(identifier)))
        sent = list(WHEN.values())
        rows.sort(key=lambda row: sent.index(row[0]) if row[0] in sent else -row[0].endswith("present state"))
        rows.sort(key=lambda row: ORDER.index(row[0].partition(":")[0]))
        return table(("sent", "command", "documented in"), rows)

    def _when(self, path: str) -> str:
        part, _, field = path.removeprefix("$.").partition(".")
        index = int((re.search(r"\[(\d+)\]", part) or "00")[1])
        name = re.sub(r"\[.*|\.send$", "", (re.search(r"\((\w+)\)", field) or (0, field))[1])
        if part.startswith("setup"):
            return "at first: once the rate is known"
        if part.startswith("identify"):
            return f"identify: {self.dialect.identify[index].field}"
        if part == "probe":
            return "identify: no response has shown a family"
        if part == "uart":
            return "write: the rate is raised"
        if part.startswith("prepare"):
            step = self.dialect.prepare[index]
            condition = f"; only if the state matches {code(step.when)}" if step.when else ""
            why = {"ask": "prepare: the present state", "undo": "given up: nothing was started"}
            return why.get(field, f"prepare: {cell(step.why)}{condition}")
        return WHEN.get(name, f"update: {code(field)}")

    def _settings(self) -> list[str]:
        roles = (Command, Pattern, Word)
        lines = {re.sub(r"\[\d+\]$", "", text.path) for role in roles for text in texts(self.dialect, role)}
        other = re.compile(rf"\.({'|'.join(WORDS)}|urcs|finals|source|log_in|attached)\b")
        rows = [
            (code(origin.path[2:]), value(origin.value), self._file(origin))
            for origin in self.origins
            if re.match(r"\$\.(uart|grammar|method|reboot)\b", origin.path)
            and origin.path not in lines
            and not other.search(origin.path)
        ]
        return table(("field", "value", "given by"), rows)

    def _lines(self) -> list[str]:
        method = [text for role in (Pattern, Word) for text in texts(self.dialect.method, role, "")]
        rows = [(code(text.path[1:]), code(text.value), self._source(text.source)) for text in method]
        origins = [
            origin
            for origin in self.origins
            if re.search(r"\.(urcs|finals)\[|boot\.(lines|cause)", origin.path)
        ]
        grammar = [
            (code(path[10:]), "; ".join(value(one.value) for one in some), file)
            for (path, file), some in groupby(
                origins, lambda one: (re.sub(r"\[\d+\]", "", one.path), self._file(one))
            )
        ]
        heads = ("field", "pattern or word")
        return [*table((*heads, "documented in"), rows), *table((*heads, "given by"), grammar)]

    def _words(self) -> list[str]:
        rows = []
        for origin in self.origins:
            if match := re.search(rf"\.({'|'.join(WORDS)})\.(.*)$", origin.path):
                is_number = match[1] == "errors" and match[2].isdecimal()
                of = "CME ERROR" if is_number else code(match[1])
                rows.append((of, code(match[2]), cell(origin.value), self._file(origin)))
        return table(("of", "number or text", "means", "given by"), rows)

    def _source(self, identifier: str | None) -> str:
        return cell(self.dialect.sources.get(identifier, identifier)) if identifier else "not stated"

    def _file(self, origin: Origin) -> str:
        name = origin.origin.removesuffix(".toml")
        return (
            f"[{name}]({name}.md)"
            if name in self.parents
            else {self.dialect.name: "this profile"}.get(name, name)
        )


def _cells(row: Row, profiles: str) -> list[str]:
    other = {
        "codes": f"{row.manuf_code}/{row.model_code}",
        "method": code(row.method) if row.method != "none" else "none",
        "profile": f"[{row.dialect}]({profiles}{row.dialect}.md)",
    }
    return [other.get(name) or cell(getattr(row, name)) for name in COLUMNS]


def _index(pages: Sequence[Page]) -> str:
    rows = []
    for page in pages:
        dialect = page.dialect
        method = code(dialect.method.kind) if dialect.method else "none"
        link = f"[{dialect.name}]({dialect.name}.md)"
        rows.append(
            (link, cell(dialect.title), method, dialect.evidence, dialect.hardware, str(len(page.rows)))
        )
    heads = ("profile", "for", "method", "evidence", "hardware", "rows of the table")
    return "\n".join((_INDEX, *table(heads, rows), "_Written by `scripts/docs`; do not edit._", ""))


def _modules() -> str:
    lines = [_MODULES]
    ordered = sorted(
        catalogue.rows(), key=lambda row: (list(TYPES).index(row.task_type), row.method == "none")
    )
    for task_type, rows in groupby(ordered, key=lambda row: row.task_type):
        lines += [
            f"## For {TYPES[task_type]}",
            "",
            *table(COLUMNS, (_cells(row, "profiles/") for row in rows)),
        ]
    return "\n".join((*lines, "_Written by `scripts/docs` from the catalogue; do not edit._", ""))
