"""Every mistake in the shape of a profile's tables at once: unknown keys, wrong types, missing fields.

`msgspec` stops at the first one; here each field is converted by itself, in `msgspec`'s own words.
"""

import re
import types
from collections.abc import Iterator
from typing import Any, Union, get_args, get_origin

import msgspec

_PLACE = re.compile(r" - at `(?:key in )?\$?(?P<inner>[^`]*)`$")

UNKNOWN = "Object contains unknown field "
"""How the text of a mistake begins that is a key too many; the key follows in backticks."""


def shape_mistakes(value: Any, kind: Any, path: str = "$") -> Iterator[tuple[str, str]]:
    """Yield ``(path, what is wrong)`` for what `msgspec.convert` of ``value`` into ``kind`` would refuse."""
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
            yield path, f"{UNKNOWN}`{key}`"
    for name, field in fields.items():
        if name in value:
            yield from shape_mistakes(value[name], field.type, f"{path}.{name}")
        elif field.required:
            yield path, f"Object missing required field `{name}`"
