"""A method is two files of one name, and another package brings its own without a change here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from atota.dialects import registry
from atota.dialects.common import MethodSpec
from atota.fota.base import Method
from atota.fota.registry import code_of
from tests.meta.sources import PACKAGE, ROOT

SPEC = '''
from typing import Annotated
from atota.dialects.common import Command, MethodSpec

class TinySpec(MethodSpec, frozen=True, kw_only=True, tag="tiny-write"):
    """Write everything with one command."""

    code = "acme.code:Tiny"
    start: Annotated[str, Command("size")]

class OddSpec(MethodSpec, frozen=True, kw_only=True, tag_field="type", tag="odd"):
    """A spec that is told by another key than the others."""
'''
CODE = '''
from pathlib import Path
from acme.spec import TinySpec
from atota.fota.base import Method, Progress
from atota.module.session import Session

class Tiny(Method):
    """The code of it."""

    spec: TinySpec

    def write(self, session: Session, package: Path, progress: Progress) -> str | None:
        return None

    def activate(self, session: Session) -> bool:
        return session.command(self.spec.start.format(size=4)).ok
'''
PROFILE = """
name = "acme-x1"
title = "Acme X1"
extends = "3gpp"
[recognise]
manufacturer = "ACME"
[sources]
acme = "Acme X1 AT manual V1"
[method]
kind = "tiny-write"
start = "AT+TINY={size}"
source = "acme"
[reboot]
limit_s = 60.0
usual_s = 10.0
source = "acme"
"""
ENTRIES = """
[atota.methods]
tiny-write = acme.spec:TinySpec
[atota.profiles]
acme = acme.profiles
"""
ASK = """
import json
from atota.dialects import loader, registry
from atota.dialects.model import sends
from atota.fota.registry import method_for
from atota.module.identify import recognise
dialect = loader.load("acme-x1")
method = method_for(dialect)
print(json.dumps([
    type(method).__name__, method.spec.kind, sends(dialect)[-1].text,
    [one.method for one in loader.listed() if one.name == "acme-x1"], list(registry.problems()),
    recognise("ACME", "X1", "V1").name,
]))
"""


def installed(folder: Path, entries: str = ENTRIES) -> None:
    """Lay the package of a stranger out, as an installer would."""
    files = {
        "acme/__init__.py": "",
        "acme/spec.py": SPEC,
        "acme/code.py": CODE,
        "acme/profiles/__init__.py": "",
        "acme/profiles/acme-x1.toml": PROFILE,
        "acme-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n",
        "acme-1.0.dist-info/entry_points.txt": entries,
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def run(folder: Path, code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=folder,
        env={"PYTHONPATH": f"{ROOT}:{folder}", "PATH": ""},
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("spec", registry.method_specs(), ids=lambda spec: spec.method_name())
def test_every_spec_has_its_code_in_a_file_of_its_name(spec: type[MethodSpec]) -> None:
    code = code_of(spec)
    name = spec.method_name().replace("-", "_")
    assert issubclass(code, Method)
    assert (spec.__module__, code.__module__) == (f"atota.dialects.methods.{name}", f"atota.fota.{name}")
    assert code.__annotations__["spec"] is spec


def test_every_file_of_a_spec_is_registered() -> None:
    files = {path.stem for path in (PACKAGE / "dialects" / "methods").glob("*.py")} - {"__init__"}
    assert {spec.method_name().replace("-", "_") for spec in registry.method_specs()} == files


def test_a_strangers_package_adds_a_method_and_its_profile(tmp_path: Path) -> None:
    installed(tmp_path)
    assert json.loads(run(tmp_path, ASK)) == [
        "Tiny", "tiny-write", "AT+TINY={size}", ["tiny-write"], [], "acme-x1"
    ]  # fmt: skip


def test_a_mistake_in_a_strangers_profile_is_found(tmp_path: Path) -> None:
    installed(tmp_path)
    profile = tmp_path / "acme" / "profiles" / "acme-x1.toml"
    profile.write_text(PROFILE.replace("{size}", "{length}"), encoding="utf-8")
    code = "from atota.dialects import loader\nprint([one.wrong for one in loader.listed() if one.wrong])"
    assert "has the placeholder {length}, which nothing fills in" in run(tmp_path, code)
    code = "from atota.dialects import loader\nprint([one.name for one in loader.recognisable()])"
    assert "acme-x1" not in run(tmp_path, code)


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("tiny-write = acme.nothing:TinySpec", "No module named"),
        ("tiny-write = acme.spec:Command", "it is not a MethodSpec"),
        ("odd = acme.spec:OddSpec", "same `tag_field`"),
        ("other-name = acme.spec:TinySpec", "its spec is named tiny-write"),
        ("nfwupd = atota.dialects.methods.nfwupd:NfwupdSpec", "there is a method of this name already"),
    ],
)
def test_a_package_that_cannot_be_loaded_takes_nothing_away(tmp_path: Path, entry: str, why: str) -> None:
    installed(tmp_path, f"[atota.methods]\n{entry}\n")
    code = (
        "from atota.dialects import loader, registry\nprint(len(loader.all_built_in()), *registry.problems())"
    )
    assert why in run(tmp_path, code)


def test_the_problem_of_a_package_is_told_where_its_method_is_missed(tmp_path: Path) -> None:
    installed(tmp_path, "[atota.methods]\ntiny-write = acme.nothing:TinySpec\n")
    code = (
        "from atota.dialects import loader\nfrom atota.errors import ConfigError\n"
        "try:\n    loader.load('acme/profiles/acme-x1.toml')\n"
        "except ConfigError as error:\n    print(error.message, error.hint)"
    )
    shown = run(tmp_path, code)
    assert "Invalid value 'tiny-write'" in shown
    assert "The method tiny-write of acme.nothing:TinySpec cannot be used" in shown
