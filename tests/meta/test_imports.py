"""The imports of the package: no circle of files, no room out of bounds, one door to each package outside.

import-linter proves the floors (`pyproject.toml`). Here an import counts wherever it stands: in a function,
under TYPE_CHECKING, or as a string that names a module.
"""

import ast
from collections.abc import Iterator, Mapping
from functools import cache

import pytest

from tests.meta.sources import PACKAGE, import_name, modules, name_of, tree

DOORS = {
    "serial": {"atota.link.serial", "atota.link.ports"},
    # `memory` is the transport without a network.
    "httpx": {"atota.ota.http", "atota.ota.memory"},
    "psycopg": {"atota.line.store"},
    "starlette": {"atota.web", "atota.otaserver.app", "atota.station", "atota.line"},
    "uvicorn": {"atota.web", "atota.otaserver.web"},
    "h11": set(),
    "hypothesis": {"atota.testing"},
    "esptool": set(),
    "stm32loader": set(),
}
"""A package of others, and the files or rooms that may import it. GPL tools are run, never imported."""

SIM_USERS = {"sim", "testing", "cli"}
"""The rooms that may import the simulator."""

UPDATE_FILES = 14


def imported_names(module: ast.Module, package: str) -> Iterator[str]:
    """Yield the full name of everything that a file imports, at any depth."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package.split(".")[: -node.level + 1 or None]) if node.level > 1 else package
            start = f"{base}.{node.module}" if node.level and node.module else node.module or base
            yield start
            yield from (f"{start}.{alias.name}" for alias in node.names)


@cache
def imports() -> Mapping[str, frozenset[str]]:
    """Return everything that each file of the package imports."""
    names = {}
    for path in modules():
        name = import_name(path)
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        names[name] = frozenset(imported_names(tree(path), package))
    return names


@cache
def graph() -> Mapping[str, frozenset[str]]:
    """Return the files of the package that each of its files imports."""
    return {name: frozenset(targets & imports().keys()) - {name} for name, targets in imports().items()}


def circles(edges: Mapping[str, frozenset[str]]) -> set[frozenset[str]]:
    """Return the strongly connected parts of more than one file, by Tarjan's algorithm."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    parts: set[frozenset[str]] = set()

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for target in edges[name]:
            if target not in index:
                visit(target)
            if target in stack:
                low[name] = min(low[name], low[target])
        if low[name] == index[name]:
            at = stack.index(name)
            part = frozenset(stack[at:])
            del stack[at:]
            if len(part) > 1:
                parts.add(part)

    for name in edges:
        if name not in index:
            visit(name)
    return parts


def room(name: str) -> str:
    """Return the room of a file: the first folder under the package, or the file itself on the ground."""
    return name.split(".")[1] if "." in name else name


def test_the_search_finds_a_circle() -> None:
    edges = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set(), "e": {"a"}}
    assert circles({name: frozenset(targets) for name, targets in edges.items()}) == {frozenset("bc")}


def test_the_graph_sees_imports_in_functions() -> None:
    source = "def f():\n    from atota.at import parser\nif TYPE_CHECKING:\n    import atota.link.base\n"
    assert {"atota.at", "atota.at.parser", "atota.link.base"} <= set(
        imported_names(ast.parse(source), "atota")
    )
    assert "atota.errors" in graph()["atota.files"]
    assert len(graph()) > 200


def test_there_is_no_circle_of_files() -> None:
    assert circles(graph()) == set()


def test_only_testing_and_the_command_line_import_the_simulator() -> None:
    users = {
        name
        for name, targets in graph().items()
        if room(name) not in SIM_USERS and any(room(target) == "sim" for target in targets)
    }
    assert users == set()


@pytest.mark.parametrize("package", DOORS)
def test_a_package_of_others_has_its_door(package: str) -> None:
    users = {
        name
        for name, targets in imports().items()
        if not any(f"{name}.".startswith(f"{door}.") for door in DOORS[package])
        and any(target.split(".")[0] == package for target in targets)
    }
    assert users == set()


def test_update_is_a_room_of_at_most_14_files() -> None:
    files = [name_of(path) for path in (PACKAGE / "update").glob("*.py") if path.name != "__init__.py"]
    assert 0 < len(files) <= UPDATE_FILES
