"""scripts/new-dialect: what it writes works at once; and nothing of it is left unfilled in the project."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from atota.dialects import loader
from atota.sim.personas.catalogue import PERSONAS
from tests.meta.sources import ROOT

SCRIPT = ROOT / "scripts" / "new-dialect"
CASES = {
    "acme-n1": (),
    "acme-n2": ("--extends", "3gpp"),
    "acme-f1": ("--method", "file-append", "--user"),
    "acme-u1": ("--method", "ack-upload", "--extends", "mt2625"),
    "acme-w1": ("--method", "watched"),
}


def run(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "XDG_CONFIG_HOME": str(cwd / "config"), "NO_COLOR": "1", "COLUMNS": "200"}
    return subprocess.run(
        [sys.executable, *map(str, words)], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, with a new dialect of each kind in it."""
    copy = tmp_path_factory.mktemp("tree")
    unwanted = shutil.ignore_patterns("__pycache__")
    for folder in ("atota", "scripts", "tests/sim", "tests/traces", "boards/schema"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=unwanted)
    shutil.copy(ROOT / "pyproject.toml", copy)
    for name, options in CASES.items():
        ran = run(copy / "scripts" / "new-dialect", name, *options, "--into", copy, cwd=copy)
        assert ran.returncode == 0, ran.stderr
        assert "FILL IN" in ran.stdout
    return copy


def test_each_new_dialect_updates_its_simulated_module_at_once(tree: Path) -> None:
    ran = run("-m", "atota", "dialects", "check", *CASES, cwd=tree)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for name in CASES:
        assert f"{name}  fine" in ran.stdout
        assert f"{name.upper()}: updated in " in ran.stdout


def test_each_new_simulated_module_speaks_as_in_its_traces(tree: Path) -> None:
    ran = run("-m", "pytest", "-q", "-k", "acme", tree / "tests/sim/test_sim_traces.py", cwd=tree)
    assert ran.returncode == 0, ran.stdout
    assert f"{3 * len(CASES)} passed" in ran.stdout


def test_the_new_files_lie_where_they_belong_and_say_what_to_fill_in(tree: Path) -> None:
    profiles = {
        name: tree
        / ("boards/dialects" if "--user" in options else "atota/dialects/profiles")
        / f"{name}.toml"
        for name, options in CASES.items()
    }
    for name, profile in profiles.items():
        schema = profile.read_text(encoding="utf-8").splitlines()[0].removeprefix("#:schema ")
        assert (profile.parent / schema).resolve() == tree / "boards" / "schema" / "dialect.json"
        persona = tree / "atota" / "sim" / "personas" / f"{name.replace('-', '_')}.py"
        trace = tree / "tests" / "traces" / name / "identify.trace"
        for path in (profile, persona, trace):
            assert "FILL IN" in path.read_text(encoding="utf-8")


def test_what_was_written_is_clean(tree: Path) -> None:
    ran = run("-m", "ruff", "check", tree / "atota/sim/personas", cwd=tree)
    assert ran.returncode == 0, ran.stdout
    ran = run("-m", "ruff", "format", "--check", tree / "atota/sim/personas", cwd=tree)
    assert ran.returncode == 0, ran.stdout


def test_nothing_is_written_over(tree: Path) -> None:
    profile = tree / "boards" / "dialects" / "acme-f1.toml"
    before = profile.read_bytes()
    ran = run(
        tree / "scripts" / "new-dialect",
        "acme-f1",
        "--method",
        "file-append",
        "--user",
        "--into",
        tree,
        cwd=tree,
    )
    assert ran.returncode == 1
    assert "is there already; nothing was written" in ran.stderr
    assert profile.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "texts"),
    [
        (("Acme",), "small letters, digits and hyphens"),
        (("hi2115",), "there is a dialect hi2115 already"),
        (("acme", "--method", "magic"), "no built-in dialect has the method 'magic'; there are: "),
        (("acme", "--extends", "nowhere"), "unknown dialect 'nowhere'"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, words: tuple[str, ...], texts: str) -> None:
    ran = run(SCRIPT, *words, "--into", tmp_path, cwd=ROOT)
    assert ran.returncode == 1
    assert texts in ran.stderr
    assert list(tmp_path.iterdir()) == []


def test_nothing_in_the_project_is_left_to_fill_in() -> None:
    texts = {name: " ".join(loader.load(name).sources.values()) for name in loader.names()}
    texts |= {persona.name: " ".join(persona.sources) for persona in PERSONAS}
    texts |= {str(path): path.read_text("ascii") for path in (ROOT / "tests" / "traces").rglob("*.trace")}
    texts |= {
        str(path): path.read_text("utf-8") for path in (ROOT / "atota" / "dialects" / "profiles").iterdir()
    }
    assert [name for name, text in texts.items() if "TODO" in text or "FILL IN" in text] == []
