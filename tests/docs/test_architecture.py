"""docs/architecture.md against the code: the states, the floors, the files it names."""

import re
import tomllib

from atota.update.state import MEANINGS, TRANSITIONS, AfterCrash, JobState
from tests.meta.sources import PACKAGE, ROOT
from tests.meta.test_imports import DOORS

TEXT = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
DUTIES = {
    AfterCrash.NOTHING: "begins anew",
    AfterCrash.WRITE_AGAIN: "writes again",
    AfterCrash.CONFIRM: "confirms",
}


def row(state: JobState) -> str:
    meaning = MEANINGS[state]
    after = [other for other in JobState if other in TRANSITIONS[state]]
    cells = (
        f"`{state}`",
        ", ".join(f"`{other}`" for other in after) or "the end",
        "yes" if meaning.may_undo else "no",
        "no" if meaning.must_not_interrupt else "yes",
        "yes" if meaning.may_await_bytes else "no",
        DUTIES[meaning.after_crash],
    )
    return f"| {' | '.join(cells)} |"


def test_the_table_of_states_is_that_of_the_code() -> None:
    shown = re.findall(r"^\| `[a-z-]+` \| (?:`|the end).*\|$", TEXT, re.MULTILINE)
    assert shown == [row(state) for state in JobState]


def test_the_floors_are_those_of_the_import_contract() -> None:
    drawing = TEXT.split("```")[1]
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]
    contracts = tools["importlinter"]["contracts"]
    (layers,) = (contract["layers"] for contract in contracts if contract["type"] == "layers")
    drawn = [set(re.findall(r"\b[a-z]+\b", line[:40])) for line in drawing.strip().splitlines()]
    floors = [set(re.findall(r"atota\.(\w+)", layer)) for layer in layers]
    rooms = {path.stem for path in PACKAGE.iterdir()}
    assert [floor & rooms for floor in floors if floor & rooms] == _merged(drawn)


def _merged(drawn: list[set[str]]) -> list[set[str]]:
    """The drawing has errors and outcomes, two floors of the contract, on one line."""
    return [*drawn[:-1], drawn[-1] - {"outcomes"}, {"outcomes"}]


def test_the_doors_are_those_that_the_imports_keep() -> None:
    rows = re.findall(r"(?m)^\| (\w+) \| (`atota/[^|]*) \|$", TEXT)
    shown = {name: set(re.findall(r"`atota/([\w/.]+?)/?`", cell)) for name, cell in rows}
    there = {name: {_file(door) for door in doors} - {""} for name, doors in DOORS.items()}
    assert shown == {name: doors for name, doors in there.items() if doors}


def _file(door: str) -> str:
    """The file or room of a door; empty if it is still to come."""
    path = door.removeprefix("atota.").replace(".", "/")
    return next((name for name in (f"{path}.py", path) if (PACKAGE / name).exists()), "")


def test_every_room_is_in_the_drawing() -> None:
    rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
    assert {room for room in rooms if not re.search(rf"\b{room}\b", TEXT)} == set()


def test_it_names_only_files_that_exist() -> None:
    paths = re.findall(r"`((?:atota|tests|scripts)/[\w./-]+)`", TEXT)
    assert len(paths) > 15
    assert [path for path in paths if not (ROOT / path).exists()] == []
