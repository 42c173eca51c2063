"""The parameters of an information line: ``+X: 1,"a,b",,(0-3)`` to values and back.

Strings are taken and given as latin-1, one character a byte, so nothing is lost. Escapes are those of
V.250 section 5.4.2.2 (a backslash and two hex digits); some vendors print backslashes raw, so they are
resolved only where the dialect says so. An omitted value is None, an empty string is ``""``.
"""

import re

import msgspec

Value = int | str | None | tuple["Value", ...]

_PREFIX = re.compile(r'([+^%#$*&!]?[A-Za-z][^:"(),]*):')
_INTEGER = re.compile(r"[+-]?\d{1,400}")
_WHOLE = re.compile(r"[0-9]{1,18}")
_ESCAPE = re.compile(r"\\([0-9A-Fa-f]{2})")
_SPECIAL = re.compile(r'[^\x20-\x7e]|["\\]')
_BLANKS = " \t\r\n"
_DEEPEST = 8
"""Lists nested deeper than this are kept as text: no answer of 27.007 nests more than two."""


class Params(msgspec.Struct, frozen=True):
    """The fields of one line: ``values`` as parsed, ``raw`` as they stood there, blanks stripped."""

    prefix: str
    values: tuple[Value, ...]
    raw: tuple[str, ...]

    def integer(self, index: int) -> int | None:
        """Field ``index`` if it is there and a number, else None."""
        value = self.values[index] if 0 <= index < len(self.values) else None
        return value if isinstance(value, int) else None

    def text(self, index: int) -> str | None:
        """Field ``index`` as it stood there, without quotes, if it is there, else None."""
        if not 0 <= index < len(self.values) or self.values[index] is None:
            return None
        value = self.values[index]
        return value if isinstance(value, str) else self.raw[index]


def parse_line(line: str | bytes, *, escapes: bool = False) -> Params:
    """Split an information line into its prefix and fields. Any input gives something."""
    text = line.decode("latin-1") if isinstance(line, bytes) else line
    match = _PREFIX.match(text)
    prefix = match[1].strip(_BLANKS) if match else ""
    rest = text[match.end() :] if match else text
    return Params(prefix, *parse_fields(rest, escapes=escapes))


def parse_fields(
    text: str, *, escapes: bool = False, depth: int = 0
) -> tuple[tuple[Value, ...], tuple[str, ...]]:
    """The values of a comma-separated list and the text of each; an empty list for blank text."""
    if not text.strip(_BLANKS):
        return (), ()
    raw = tuple(field.strip(_BLANKS) for field in _split(text))
    return tuple(_value(field, escapes, depth) for field in raw), raw


def _split(text: str) -> list[str]:
    """Cut at the commas that stand outside quotes and parentheses."""
    fields, start, depth, quoted = [], 0, 0, False
    for index, char in enumerate(text):
        if char == '"':
            quoted = not quoted
        elif quoted:
            continue
        elif char == "(":
            depth += 1
        elif char == ")":
            depth = max(0, depth - 1)
        elif char == "," and not depth:
            fields.append(text[start:index])
            start = index + 1
    fields.append(text[start:])
    return fields


def _value(field: str, escapes: bool, depth: int) -> Value:
    if not field:
        return None
    if len(field) >= 2 and field[0] == field[-1] == '"':
        body = field[1:-1]
        return _ESCAPE.sub(lambda m: chr(int(m[1], 16)), body) if escapes else body
    if field[0] == "(" and field[-1] == ")" and depth < _DEEPEST:
        return parse_fields(field[1:-1], escapes=escapes, depth=depth + 1)[0]
    if _INTEGER.fullmatch(field) and field.isascii():
        return int(field)
    return field


def format_fields(values: tuple[Value, ...]) -> str:
    """Write values as V.250 has them; strings in quotes with escapes. `parse_fields` is its inverse.

    A list of one omitted value can't be told from an empty one, so it is read back as that.

    Raises:
        ValueError: a string holds a character that is not latin-1, so not a byte.
    """
    return ",".join(map(_format, values))


def _format(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return '"' + _SPECIAL.sub(lambda m: f"\\{m[0].encode('latin-1')[0]:02X}", value) + '"'
    return f"({format_fields(value)})"


def whole_number(text: str | None) -> int | None:
    """The number that up to eighteen digits are; None for anything else: no module counts further."""
    return int(text) if text is not None and _WHOLE.fullmatch(text) else None


def allowed_numbers(text: str) -> frozenset[int]:
    """The numbers that a test answer such as ``(0-5)`` or ``(0,1,2,5)`` or ``0-5`` allows."""
    allowed: set[int] = set()
    for low, high in re.findall(r"(\d{1,5})(?:\s*-\s*(\d{1,5}))?", text):
        allowed.update(range(int(low), min(int(high or low), int(low) + 1024) + 1))
    return frozenset(allowed)
