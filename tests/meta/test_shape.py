"""The shape of the code: sizes, annotations, who may call what, what an import costs."""

import ast
import re
import subprocess
import sys
from statistics import median

import pytest

from atota.dialects import catalogue
from tests.meta.sources import PACKAGE, ROOT, functions, import_name, modules, name_of, tree

HEAVY = ("httpx", "serial", "starlette", "uvicorn", "psycopg", "sqlite3", "rich")
CLOCKS = {"SystemClock", "ScaledClock"}


def test_no_module_is_longer_than_400_lines() -> None:
    long = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in modules()}
    assert {name: count for name, count in long.items() if count > 400} == {}


def test_functions_are_short() -> None:
    lengths = {
        f"{name_of(path)}:{node.lineno} {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in modules()
        for node in functions(path)
    }
    assert {name: count for name, count in lengths.items() if count > 60} == {}
    assert median(lengths.values()) < 9


def test_every_function_is_annotated() -> None:
    bare = []
    for path in modules():
        for node in functions(path):
            given = node.args
            arguments = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
            named = [one for one in arguments if one is not None and one.arg not in ("self", "cls")]
            if node.returns is None or any(one.annotation is None for one in named):
                bare.append(f"{name_of(path)}:{node.name}")
    assert bare == []


def vendor_names() -> list[str]:
    """Every vendor's name that the catalogue knows, and what it calls itself where that is plain text."""
    names = {row.vendor for row in catalogue.rows()}
    answers = {pattern for row in catalogue.rows() for pattern in row.vendor_names}
    return sorted(names | {answer for answer in answers if re.fullmatch(r"[\w -]{4,}", answer)})


@pytest.mark.parametrize("folder", ["at", "fota"])
def test_no_vendor_is_named_in_grammar_and_methods(folder: str) -> None:
    assert len(vendor_names()) > 20
    pattern = re.compile(
        "|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in vendor_names()), re.IGNORECASE
    )
    offenders = [
        f"{name_of(path)}:{number}: {line.strip()}"
        for path in sorted((PACKAGE / folder).rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    ]
    assert offenders == []


def test_only_the_clocks_call_the_machine_s_time() -> None:
    offenders = []
    for path in modules():
        tree_of = tree(path)
        allowed = {
            id(inner)
            for node in ast.walk(tree_of)
            if isinstance(node, ast.ClassDef) and node.name in CLOCKS and path.name == "clock.py"
            for inner in ast.walk(node)
        }
        for node in ast.walk(tree_of):
            if isinstance(node, ast.ImportFrom) and node.module == "time":
                offenders.append(f"{name_of(path)}:{node.lineno}")
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id == "time"
                and node.attr in ("sleep", "monotonic", "time", "perf_counter")
                and id(node) not in allowed
            ):
                offenders.append(f"{name_of(path)}:{node.lineno}")
    assert offenders == []


def test_nobody_prints_but_the_command_line_s_output() -> None:
    offenders = [
        f"{name_of(path)}:{node.lineno}"
        for path in modules()
        if path != PACKAGE / "cli" / "view" / "output.py"
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert offenders == []


def test_init_files_hold_only_their_docstring() -> None:
    for path in modules():
        if path.name == "__init__.py" and path != PACKAGE / "__init__.py":
            body = tree(path).body
            assert len(body) <= 1, name_of(path)
            assert all(isinstance(node, ast.Expr) for node in body), name_of(path)


def test_the_command_line_loads_what_it_uses_and_no_more() -> None:
    code = f"import sys, atota.cli.app; print([name for name in {HEAVY} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert ran.stdout.strip() == "[]", ran.stderr


def test_every_module_can_be_imported_and_warns_of_nothing() -> None:
    names = [import_name(path) for path in modules() if path.name != "__main__.py"]
    code = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)"
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *names],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


def test_importing_a_module_does_nothing_but_define() -> None:
    """No thread is started and nothing is written by an import."""
    names = [import_name(path) for path in modules() if path.name != "__main__.py"]
    code = (
        "import importlib, sys, threading\n"
        "for name in sys.argv[1:]: importlib.import_module(name)\n"
        "print(threading.active_count())"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, *names], cwd=ROOT, capture_output=True, text=True, timeout=50
    )
    assert (ran.stdout.strip(), ran.stderr) == ("1", "")
