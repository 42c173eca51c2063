"""scripts/trace-to-test: a transcript attached to a report becomes a test in one step, or says why not."""

import contextlib
import importlib.util
import io
import re
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from atota.clock import SimulatedClock
from atota.module.module import Module
from atota.settings.head import head_of
from atota.settings.spec import JobSpec, LocalPackage
from atota.sim.link import SimLink, make_module
from atota.sim.package import build_package
from atota.testing.recorded import expected, replayed
from atota.transcript.recording import read_recording
from atota.transcript.writer import TranscriptLink
from atota.update.job import Job
from atota.values import Digests
from tests.meta.sources import ROOT

SCRIPT = ROOT / "scripts" / "trace-to-test"
PACKAGE = build_package(model="BC28", base="BC28JAR01A03", target="BC28JAR01A05", size=1500)


class Ran:
    """The files and the output of a run of the script."""

    def __init__(self, returncode: int, stdout: str, stderr: str) -> None:
        self.returncode, self.stdout, self.stderr = returncode, stdout, stderr


def load() -> Any:
    """The script, as a module of this process."""
    loader = SourceFileLoader("trace_to_test", str(SCRIPT))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("trace_to_test", loader))  # type: ignore[arg-type]
    loader.exec_module(module)
    return module


def run(*words: object, folder: Path) -> Ran:
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.object(sys, "argv", ["trace-to-test", *map(str, words), "--folder", str(folder)]),
    ):
        code = load().main()
    return Ran(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def attached(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The transcript of a user's failing job."""
    folder = tmp_path_factory.mktemp("user")
    package = folder / "p.bin"
    package.write_bytes(PACKAGE)
    local = LocalPackage(package, Digests.of(PACKAGE).md5, "BC28JAR01A05")
    spec = JobSpec(port="sim://BC28", package=local)
    file = io.StringIO()
    inner = SimLink(make_module("BC28", faults=["rollback"]), SimulatedClock(), latency_s=0.001)
    link = TranscriptLink(inner, file, context=head_of("flash", spec).lines())
    job = Job(spec, opener=lambda *_, **how: Module(link, stop=how["stop"], listener=how["listener"]))
    assert job.run().outcome == "old-version"
    return file.getvalue()


def test_a_transcript_becomes_a_test(tmp_path: Path, attached: str) -> None:
    source, folder = tmp_path / "Bug 12 (rollback).txt", tmp_path / "recorded"
    source.write_text(attached, encoding="ascii")
    ran = run(source, folder=folder)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "rebuilt" in ran.stdout
    assert "old-version (exit 12), BC28JAR01A03 -> ?" in ran.stdout
    (made,) = folder.iterdir()
    assert made.name == "bug-12-rollback.transcript"
    assert expected(read_recording(made)) == replayed(made)
    again = run(made, "--name", "other", folder=folder)
    assert again.returncode == 0, again.stderr
    assert (folder / "other.transcript").read_bytes() == made.read_bytes()
    renewed = run("--renew", "BC28", folder=folder)
    assert renewed.returncode == 0, renewed.stderr
    assert renewed.stdout.count("kept, it ends as it did") == 2
    assert replayed(folder / "nfwupd-bc28.transcript").outcome == "updated"


def test_it_runs_as_a_program(tmp_path: Path) -> None:
    words = [
        sys.executable,
        str(SCRIPT),
        "--record",
        "ME3616",
        "--name",
        "Any Name",
        "--folder",
        str(tmp_path),
    ]
    ran = subprocess.run(words, capture_output=True, text=True, check=False, timeout=50)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert [path.name for path in tmp_path.iterdir()] == ["any-name.transcript"]


def test_what_was_not_sent_can_be_given(tmp_path: Path, attached: str) -> None:
    lines = attached.split("\n")
    last = max(at for at, line in enumerate(lines) if "AT+NFWUPD=1," in line)
    source, package = tmp_path / "t", tmp_path / "p.bin"
    source.write_text("\n".join([*lines[: last - 2], ""]), encoding="ascii")
    package.write_bytes(PACKAGE)
    ran = run(source, "--name", "part", folder=tmp_path / "a")
    assert ran.returncode == 0, ran.stderr
    assert "as much of the package as was sent" in ran.stdout
    ran = run(source, "--package", package, folder=tmp_path / "b")
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "b" / "t.package").read_bytes() == PACKAGE
    package.write_bytes(PACKAGE[::-1])
    ran = run(source, "--package", package, folder=tmp_path / "c")
    assert ran.returncode == 3
    assert "MD5" in ran.stderr
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize(
    ("change", "code", "why"),
    [
        ((r"# command flash\n", ""), 3, "unknown command"),
        ((r"# target .*\n", ""), 3, "--target"),
        ((r"(?m)^(\S+) > AT\+CGMI\\r$", r"\1 > AT+CGMI=1\\r"), 4, r"continues with `> AT\+CGMI=1"),
        (
            (r"(?m)^(\S+) > AT\+CGMI\\r$", r"\1 > AT+X=ota_XZ9KW7VJX0ZKXW8YJZ9K\\r"),
            3,
            "there is a secret in it",
        ),
        ((r"# target", "# note Authorization: et=1\n# target"), 3, "there is a secret in it"),
        ((r"# atota transcript 1", "# a log"), 3, "not a transcript"),
    ],
)
def test_what_cannot_be_a_test_is_said_and_leaves_nothing(
    tmp_path: Path, attached: str, change: tuple[str, str], code: int, why: str
) -> None:
    source = tmp_path / "t"
    text = re.sub(*change, attached, count=1)
    assert text != attached
    source.write_text(text, encoding="ascii")
    ran = run(source, folder=tmp_path / "recorded")
    assert ran.returncode == code
    assert re.search(why, ran.stderr)
    assert "Traceback" not in ran.stderr
    assert not (tmp_path / "recorded").exists()


def test_what_came_before_the_place_where_they_part_can_be_kept(tmp_path: Path, attached: str) -> None:
    source = tmp_path / "t"
    stopped = re.sub(r"(?m)^(\S+)( > AT\+NFWUPD=1,2,)", r"\1 > AT+CFUN=1\\r\n\1\2", attached)
    source.write_text(stopped, encoding="ascii")
    parted = run(source, folder=tmp_path / "recorded")
    folder = re.search(r"line (\d+).*--until (\d+)", parted.stderr, re.DOTALL)
    assert folder is not None
    ran = run(source, "--until", folder[2], folder=tmp_path / "recorded")
    assert ran.returncode == 0, ran.stderr
    (made,) = (tmp_path / "recorded").iterdir()
    outcome = expected(read_recording(made))
    assert (outcome.outcome, outcome.goes_on) == ("no-answer", True)


def test_a_head_that_does_not_say_what_was_done_can_be_helped(tmp_path: Path, attached: str) -> None:
    source = tmp_path / "t"
    source.write_text(re.sub(r"# (command|target|package) .*\n", "", attached), encoding="ascii")
    ran = run(source, "--command", "flash", "--target", "BC28JAR01A05", folder=tmp_path / "recorded")
    assert ran.returncode == 0, ran.stderr
    assert "old-version" in ran.stdout


def test_a_job_that_fails_is_not_recorded(tmp_path: Path) -> None:
    ran = run("--record", "N20", folder=tmp_path / "recorded")
    assert ran.returncode != 0
    assert "error: " in ran.stderr
    assert not (tmp_path / "recorded").exists()
