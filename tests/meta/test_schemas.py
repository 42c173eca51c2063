"""The JSON Schemas for editors: current, named by the examples, and of the same mind as atota."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from atota.dialects import loader
from atota.station.config import load_station
from tests.meta.sources import ROOT

FOLDER = ROOT / "boards" / "schema"
BOARDS = sorted((ROOT / "boards").glob("*.toml"))
STATIONS = sorted((ROOT / "boards" / "stations").glob("*.toml"))


def schema(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    return read


def test_the_schemas_are_current() -> None:
    ran = subprocess.run(
        [sys.executable, ROOT / "scripts" / "schemas", "--check"], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


def test_there_is_one_for_every_file_that_people_edit() -> None:
    assert sorted(path.name for path in FOLDER.iterdir()) == [
        "board.json",
        "config.json",
        "dialect.json",
        "station.json",
        "tasks.json",
    ]


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.name)
def test_an_example_names_its_schema_first(path: Path) -> None:
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first == "#:schema schema/board.json"
    assert (path.parent / first.removeprefix("#:schema ")).is_file()


@pytest.mark.parametrize("path", STATIONS, ids=lambda path: path.name)
def test_an_example_of_a_station_is_right_for_its_schema_and_loads(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("#:schema ../schema/station.json\n")
    whole = schema("station.json")
    assert unknown(tomllib.loads(text), whole, whole) == []
    assert load_station(path).file.lane


def unknown(value: Any, part: dict[str, Any], whole: dict[str, Any], path: str = "$") -> list[str]:
    """Return what a schema refuses for its keys alone: the paths of unknown and of missing ones."""
    while "$ref" in part:
        part = whole["$defs"][part["$ref"].rpartition("/")[2]]
    if "anyOf" in part:
        return min((unknown(value, one, whole, path) for one in part["anyOf"]), key=len)
    if isinstance(value, list):
        entry = part.get("items", {})
        return [text for one in value for text in unknown(one, entry, whole, f"{path}[]")]
    if not isinstance(value, dict):
        return [path] if part.get("type") in ("object", "array", "null") else []
    if part.get("type") != "object":
        return [path]
    known, refused = part.get("properties", {}), []
    for key, inner in value.items():
        if key in known:
            refused += unknown(inner, known[key], whole, f"{path}.{key}")
        elif not part.get("additionalProperties", True):
            refused.append(f"{path}.{key}")
    return [*refused, *(f"{path}.{key}" for key in part.get("required", ()) if key not in value)]


@pytest.mark.parametrize("name", loader.names())
def test_a_profile_with_what_it_inherits_left_out_is_right_for_its_schema(name: str) -> None:
    whole = schema("dialect.json")
    assert unknown(loader.layers(name)[0].tables, whole, whole) == []


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.name)
def test_an_example_is_right_for_its_schema(path: Path) -> None:
    whole = schema("board.json")
    assert unknown(tomllib.loads(path.read_text(encoding="utf-8")), whole, whole) == []


@pytest.mark.parametrize(
    ("tables", "path"),
    [
        ({"name": "x", "title": "y", "speed": 1}, "$.speed"),
        ({"name": "x"}, "$.title"),
        ({"name": "x", "title": "y", "identify": [{"field": "version"}]}, "$.identify[].send"),
        ({"name": "x", "title": "y", "method": {"kind": "nfwupd", "speed": 1}}, "$.method.speed"),
    ],
)
def test_the_schema_of_a_profile_knows_the_keys_that_atota_knows(tables: dict[str, Any], path: str) -> None:
    whole = schema("dialect.json")
    assert path in unknown(tables, whole, whole)


def test_what_the_files_mean_is_said_in_the_schema() -> None:
    assert schema("board.json")["$defs"]["Serial"]["description"].startswith("The line to the module")
    assert schema("dialect.json")["$defs"]["NfwupdSpec"]["description"].startswith("Hex blocks by")
