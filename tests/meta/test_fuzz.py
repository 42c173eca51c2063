"""The fuzzer: promises hold for its first inputs, and one that is broken is found and can be repeated."""

import dataclasses
import importlib
import shlex
import sys
from types import ModuleType
from typing import Any

import pytest

from atota.at.parser import Parser
from tests.meta.sources import ROOT

sys.path.append(str(ROOT))
command: ModuleType = importlib.import_module("scripts.fuzz_parts.command")
engine: ModuleType = importlib.import_module("scripts.fuzz_parts.engine")
TARGETS: dict[str, Any] = command.load()
SLOW = {"profile", "trace"}


@pytest.mark.parametrize("name", TARGETS)
def test_the_promise_holds_for_the_first_inputs(name: str) -> None:
    tally = engine.Tally(60 if name in SLOW else 300, None)
    engine.built_in(TARGETS[name], tally, seed=4)
    assert tally.count == (60 if name in SLOW else 300)


def test_the_same_seed_makes_the_same_inputs() -> None:
    target = TARGETS["range"]

    def made(seed: int) -> list[bytes]:
        tried: list[bytes] = []
        noting = dataclasses.replace(target, check=tried.append)
        engine.built_in(noting, engine.Tally(200, None), seed)
        return tried

    assert made(7) == made(7)
    assert made(7) != made(8)
    assert max(map(len, made(7))) <= target.longest


def test_an_input_that_breaks_a_promise_is_shrunk() -> None:
    def check(data: bytes) -> None:
        assert data.count(b"9") < 3

    target = dataclasses.replace(
        TARGETS["range"], check=check, seeds=lambda: [b"a" * 40], words=lambda: [b"x9"]
    )
    with pytest.raises(engine.Failure) as caught:
        engine.built_in(target, engine.Tally(20_000, None), seed=1)
    assert len(caught.value.data) < 30


def test_a_planted_fault_is_found_and_its_command_repeats_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = Parser.receive

    def faulty(self: Parser, data: bytes) -> list[Any]:
        return whole(self, data.replace(b"+CM", b"+C"))

    with monkeypatch.context() as planted:
        planted.setattr(Parser, "receive", faulty)
        assert command.main(["tokeniser", "--engine", "built-in", "--runs", "5000"]) == 1
        output = capsys.readouterr().out
        line = next(line for line in output.splitlines() if line.startswith("  repeat: "))
        script, *words = shlex.split(line.removeprefix("  repeat: "))
        assert (ROOT / script).is_file()
        assert command.main(words) == 1
        assert "FAILED tokeniser: Broken: " in capsys.readouterr().out
    assert command.main(words) == 0


def test_an_exception_of_any_kind_is_a_failure_with_its_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def raises(*_: object) -> None:
        raise SystemExit(0)

    monkeypatch.setattr(Parser, "receive", raises)
    assert command.main(["tokeniser", "--engine", "built-in", "--runs", "3"]) == 1
    output = capsys.readouterr().out
    assert "Traceback" in output
    assert output.splitlines()[-1] == "  repeat: scripts/fuzz tokeniser --input ''"
    assert command.main(shlex.split(output.splitlines()[-1])[2:]) == 1


def test_every_target_is_listed_with_its_promise(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--list"]) == 0
    output = capsys.readouterr().out
    assert len(output.splitlines()) == len(TARGETS) > 15
    assert all(f"{name} " in output and target.promise in output for name, target in TARGETS.items())


def test_a_target_that_is_none_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["nothing"]) == 2
    assert "tokeniser" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("pattern", "text", "blows_up"),
    [
        (r"(a+)+$", "a" * 30 + "b", True),
        (r"(?:a|a)*c", "a" * 30, True),
        (r"a*a*a*a*c", "a" * 60, True),
        (r"\+CSQ: ?(\d+),(\d+)", "+CSQ: " + "1" * 60, False),
        (r"^(?:Revision: ?)?(\S+)$", "Revision: " + "x" * 60, False),
    ],
)
def test_a_pattern_that_blows_up_is_told_by_its_steps(pattern: str, text: str, blows_up: bool) -> None:
    backtracking = importlib.import_module("scripts.fuzz_parts.backtracking")
    try:
        taken = backtracking.steps_of_search(pattern, 0, text, 100 * len(text))
    except backtracking.TooMuch:
        taken = None
    assert (taken is None) == blows_up
