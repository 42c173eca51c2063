"""The promises of README and of the files beside the code, held against the code."""

import importlib
import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from atota import errors
from atota.dialects import loader
from atota.errors import AtotaError
from atota.sim.personas.catalogue import PERSONAS
from tests.meta.sources import PACKAGE, ROOT, import_name, modules

README = (ROOT / "README.md").read_text(encoding="utf-8")
PROFILES = sorted((PACKAGE / "dialects" / "profiles").glob("*.toml"))
NO_ERROR = {"updated", "already-current", "no-task", "done", "task", "updated-unreported"}
# Put together, so that this file does not find itself.
FORBIDDEN = re.compile(
    "|".join(
        (
            "clau" + "de",
            "anthro" + "pic",
            "chat" + "gpt",
            "copi" + "lot",
            "design " + "section",
            r"at-(hi" + r"silicon|oth" + r"ers|pars" + r"ing|unk" + r"nown-modules)\b",
            r"onenet-ota[\w.-]*\.m" + "d",
        )
    )
)


def subclasses(base: type[AtotaError]) -> Iterator[type[AtotaError]]:
    """Yield ``base`` and everything derived from it."""
    yield base
    for kind in base.__subclasses__():
        yield from subclasses(kind)


def error_classes() -> list[type[AtotaError]]:
    """Every class of the tree, also those that other modules of the package add."""
    for path in modules():
        importlib.import_module(import_name(path))
    kinds = [kind for kind in subclasses(AtotaError) if kind.__module__.startswith("atota.")]
    assert len(kinds) > 25
    return list(dict.fromkeys(kinds))


def published() -> dict[int, set[str]]:
    """README's table of exit codes: the outcomes of each."""
    rows = re.findall(r"^\| (\d+) \| ([^|]*) \| [^|]+ \|$", README, re.MULTILINE)
    assert rows, "README has no table of exit codes"
    return {int(code): set(re.findall(r"`([^`]+)`", outcomes)) for code, outcomes in rows}


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [one.code for one in error_classes()]
    assert sorted(codes) == sorted(set(codes))
    assert all(re.fullmatch(r"[a-z]+([.-][a-z]+)*", code) for code in codes)


@pytest.mark.parametrize("kind", error_classes(), ids=lambda kind: kind.__name__)
def test_every_error_says_what_to_do_and_ends_in_a_published_exit_code(kind: type[AtotaError]) -> None:
    assert len(kind.default_hint.split()) >= 4
    assert kind.__doc__
    assert kind.exit_code not in (0, 10, 14)
    assert kind.outcome in published()[kind.exit_code]


def test_every_error_stands_in_the_tree_of_its_docstring() -> None:
    tree = errors.__doc__ or ""
    assert [kind.__name__ for kind in error_classes() if not re.search(rf"\b{kind.__name__}\b", tree)] == []


def test_every_published_outcome_exists() -> None:
    table = published()
    ours = {one.outcome for one in error_classes()} | NO_ERROR
    assert set().union(*table.values()) == ours
    assert {one.exit_code for one in error_classes()} | {0, 10, 14} == set(table)


def test_readme_names_only_files_that_there_are() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    scripts = re.findall(r"\./(scripts/[\w-]+)", README)
    assert [name for name in links + scripts if not (ROOT / name).exists()] == []


def test_no_name_of_a_tool_is_in_the_project() -> None:
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, timeout=30).stdout
    files = [ROOT / name for name in names.splitlines()] or modules()
    offenders = [
        str(path.relative_to(ROOT))
        for path in files
        if path.is_file() and FORBIDDEN.search(path.read_bytes().decode("utf-8", "replace").lower())
    ]
    assert offenders == []


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_every_profile_loads_and_names_its_sources(path: Path) -> None:
    profile = loader.load(path.stem)
    assert profile.name == path.stem
    assert profile.sources
    assert all(len(text) > 10 for text in profile.sources.values())
    used = set(_used_sources(tomllib.loads(path.read_text(encoding="utf-8"))))
    assert used <= set(profile.sources), "a source that the profile does not list"


def _used_sources(node: Any) -> list[str]:
    """Every ``source = "..."`` in a file, at any depth."""
    if isinstance(node, dict):
        own = [value for key, value in node.items() if key == "source" and isinstance(value, str)]
        return own + [text for value in node.values() for text in _used_sources(value)]
    if isinstance(node, list):
        return [text for value in node for text in _used_sources(value)]
    return []


@pytest.mark.parametrize("persona", PERSONAS, ids=lambda persona: persona.name)
def test_every_persona_has_traces_and_sources(persona: Any) -> None:
    traces = ROOT / "tests" / "traces" / persona.name.lower()
    assert list(traces.glob("*.trace")), f"{traces} is missing or empty"
    assert persona.sources


SCRIPTS = sorted(
    path for path in (ROOT / "scripts").iterdir() if path.is_file() and not path.name.startswith(("_", "."))
)


@pytest.mark.parametrize("path", [*SCRIPTS, ROOT / ".ci" / "run"], ids=lambda path: path.name)
def test_every_script_can_be_run_and_says_what_it_does(path: Path) -> None:
    assert os.access(path, os.X_OK)
    first, second, *_ = path.read_text(encoding="utf-8").splitlines()
    assert first.startswith("#!/usr/bin/env ")
    assert len(re.findall(r"\w+", second)) >= 3
    assert second.startswith(("# ", '"""'))


def test_the_top_level_holds_what_the_design_names() -> None:
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, timeout=30).stdout
    top = {name.split("/")[0] for name in names.splitlines()}
    assert {name for name in top if not name.startswith(".")} <= {
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "atota",
        "docs",
        "tests",
        "boards",
        "scripts",
    }
