"""Every kind of fact has a writer in the product, and no test makes up rows of its own."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from atota.errors import Outcome
from atota.journal.facts import KINDS, ErrorFact, Fact, JobState, PriorRun, kind_of
from atota.update.state import MEANINGS
from atota.values import STAGES, Identity
from scripts.simulate_parts.scenario import Scenario
from scripts.simulate_parts.world import World
from tests.meta.sources import ROOT

UPDATE = ROOT / "atota" / "update"
STATION = ROOT / "atota" / "station"
HELD = {"TaskFact": "self._result.task", "VersionsFact": "self._versions"}
"""The facts that are held by an attribute when they are written."""
RAW = ("INTO fact", "INTO stage", "INTO verdict", "INTO record")


def trees(folder: Path) -> Iterator[ast.Module]:
    for path in sorted(folder.rglob("*.py")):
        yield ast.parse(path.read_text(encoding="utf-8"))


def written_names() -> set[str]:
    """The names in the arguments of all calls of `fact`: constructors, and variables by their annotation."""
    names: set[str] = set()
    for tree in trees(UPDATE):
        annotations = {
            argument.arg: ast.unparse(argument.annotation)
            for argument in ast.walk(tree)
            if isinstance(argument, ast.arg) and argument.annotation is not None
        }
        for call in ast.walk(tree):
            if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)):
                continue
            for argument in call.args if call.func.attr == "fact" else ():
                text = ast.unparse(argument)
                names.add(text.split("(")[0])
                names.update(annotations.get(text, "").replace("|", " ").split())
    return names


def made_by_the_station() -> set[str]:
    """Return the names of all that a station makes: its facts go into a job or a release as they are."""
    calls = (node for tree in trees(STATION) for node in ast.walk(tree) if isinstance(node, ast.Call))
    return {ast.unparse(call.func) for call in calls}


def test_every_kind_of_fact_has_a_writer_in_the_product() -> None:
    names = written_names() | made_by_the_station()
    for kind, kind_type in KINDS.items():
        name = kind_type.__name__
        is_written = {name, f"{name}.of"} & names or HELD.get(name) in names
        assert is_written, f"nothing in the product writes facts of the kind {kind!r}"


@pytest.mark.parametrize("name", ["Told", "ErrorFact.of", "StateFact", "Identity", "PriorRun", "UndoFact"])
def test_the_search_for_writers_finds_what_there_is(name: str) -> None:
    assert name in written_names()


def test_each_kind_has_one_type_and_each_type_one_kind() -> None:
    assert len(set(KINDS.values())) == len(KINDS)
    assert set(KINDS.values()) == set(Fact.__args__)
    made: list[Fact] = [Identity(), ErrorFact()]
    assert [kind_of(fact) for fact in made] == ["module", "error"]
    assert KINDS["prior-run"] is PriorRun


def test_no_test_makes_up_rows_of_a_journal() -> None:
    """Rows that no job writes hid once that the product never told what the platform took."""
    found = {
        path.name
        for path in sorted((ROOT / "tests").rglob("*.py"))
        if path.name != Path(__file__).name and any(raw in path.read_text(encoding="utf-8") for raw in RAW)
    }
    assert found <= {"test_journal_version1.py", "test_journal_store.py"}
    # The second one tries what the database itself refuses.


def test_a_whole_simulated_job_writes_down_what_the_platform_took(tmp_path: Path) -> None:
    world = World(Scenario(seed=1, model="BC28"), tmp_path)
    result = world.attempt()
    assert result is not None
    record = world.journal().record(result.record_id)
    words = ["101: package downloaded", "201: upgraded", f"version {world.target}"]
    assert record.told == result.told == words
    assert world.task.reported[-2:] == [101, 201]
    world.close()


@pytest.mark.parametrize("model", ["BC28", "SIM7000C", "BC26", "M5311"])
@pytest.mark.parametrize("stage", STAGES)
def test_an_interrupted_simulated_job_gives_the_advice_of_its_last_state(
    tmp_path: Path, model: str, stage: str
) -> None:
    world = World(Scenario(seed=1, model=model, faults=(f"h/stop:{stage}:2",)), tmp_path)
    result = world.attempt()
    assert result is not None
    if result.outcome is Outcome.INTERRUPTED and result.error is not None:
        past = world.journal().past(id=result.record_id)
        assert past is not None
        state = past.states[-1] if past.states else JobState.UNTOUCHED
        is_begun = MEANINGS[state].must_not_interrupt
        assert ("Leave the module powered" in result.error.hint) == is_begun
        assert ("still runs what it ran before" in result.error.hint) != is_begun
        assert is_begun or not world.module.starts
    else:
        assert result.outcome in (Outcome.UPDATED, Outcome.UPDATED_UNREPORTED)
        assert world.module.version == world.target
    world.close()
