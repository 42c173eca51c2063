"""Completion: the names that a shell gets, also where bash has cut the word."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.journal.making import filled

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 60

Complete = Callable[..., list[str]]


@pytest.fixture
def complete(tmp_path: Path) -> Complete:
    """Complete a command line in a real bash, its last word cut where bash cuts it."""
    program = tmp_path / "bin" / "atota"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m atota "$@"\n')
    program.chmod(0o755)
    filled(tmp_path / "j.sqlite3")
    home = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "data"), "PYTHONPATH": str(ROOT)}
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"

    def run(*words: str) -> list[str]:
        script = (
            "source <(_ATOTA_COMPLETE=source_bash atota)\n"
            'COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 ))\n'
            "_atota_completion atota\n"
            'printf "%s\\n" "${COMPREPLY[@]}"\n'
        )
        ran = subprocess.run(
            ["bash", "--norc", "-c", script, "bash", *words],
            env={**home, "PATH": path, "ATOTA_JOURNAL": str(tmp_path / "j.sqlite3")},
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=True,
        )
        return ran.stdout.split()

    return run


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("atota identify -p sim://BC9", {"sim://BC95-B8"}),
        ("atota identify -p sim : //BC9", {"//BC95-B8"}),
        ("atota identify -p si", {"sim://"}),
        ("atota identify -p sim : //BC28?fault = roll", {"rollback"}),
        ("atota identify -p sim : //BC28?lat", {"//BC28?latency_ms="}),
        ("atota sim module M5310", {"M5310-A"}),
        ("atota sim module BC28 --fault rollb", {"rollback"}),
        ("atota modules --method nf", {"nfwupd"}),
        ("atota modules --method = nf", {"nfwupd"}),
        ("atota records show 3f9c", {"3f9c2a71aaaa4d6f8f0b0c1d2e3f4a5b-1"}),
        ("atota records list --outcome updated-", {"updated-unreported"}),
        ("atota records export --format c", {"csv"}),
        ("atota update --resume 8", {"8b11aaaa71aa4d6f8f0b0c1d2e3f4a5b"}),
        ("atota update --resume 3", set()),
        ("atota check --api s", {"studio"}),
        ("atota check --key-level d", {"device"}),
        ("atota dialects check quectel-hi", {"quectel-hi2110", "quectel-hi2115"}),
    ],
)
def test_bash_gets_the_names_that_go_on_as_the_word(complete: Complete, line: str, names: set[str]) -> None:
    assert set(complete(*line.split())) == names
