"""One scenario, run and judged."""

import itertools
import os
import tempfile
import traceback
from pathlib import Path

import msgspec

from atota.update.events import JobResult, Note, Progress, StageEvent
from scripts.simulate_parts.chip_world import ChipJudge, ChipWorld
from scripts.simulate_parts.judge import Broken, Judge, ends_right
from scripts.simulate_parts.scenario import Scenario
from scripts.simulate_parts.world import World

_RAM = Path("/dev/shm")  # noqa: S108 - a RAM disk, where there is one
_NUMBER = itertools.count()
ATTEMPTS = 3
UPDATED = ("updated", "already-current")
FINAL = (*UPDATED, "no-task")
NOTHING_TO_DO = ("already-current", "no-task")


class Run(msgspec.Struct, frozen=True):
    """The result of one scenario. ``broken`` names the broken promise, ``kind`` the same without numbers."""

    scenario: Scenario
    outcomes: tuple[str, ...]
    jobs: int
    broken: str | None = None
    kind: str = ""


def folder() -> Path:
    """A fresh folder on a fast disk."""
    root = _RAM if _RAM.is_dir() and os.access(_RAM, os.W_OK) else Path(tempfile.gettempdir())
    made = root / f"atota-simulation-{os.getpid()}-{next(_NUMBER)}"
    made.mkdir()
    return made


def simulate(scenario: Scenario, *, tell: bool = False) -> Run:
    """Run a scenario: the job with its faults, and, if it did not end well, once more on a healed world."""
    world = ChipWorld(scenario, folder()) if scenario.is_chip else World(scenario, folder())
    outcomes: list[str] = []
    try:
        _attempts(world, outcomes, tell=tell)
    except Broken as broken:
        return Run(scenario, tuple(outcomes), len(outcomes), str(broken), _kind(str(broken)))
    except Exception as error:  # noqa: BLE001 - a bug is a broken promise, too
        where = traceback.extract_tb(error.__traceback__)[-1]
        what = f"{type(error).__name__}: {error} at {Path(where.filename).name}:{where.lineno}"
        if tell:
            traceback.print_exc()
        return Run(scenario, tuple(outcomes), len(outcomes) + 1, what, _kind(what))
    finally:
        world.close()
    return Run(scenario, tuple(outcomes), len(outcomes))


def _attempts(world: World, outcomes: list[str], *, tell: bool) -> None:
    judge, begun = ChipJudge(world) if isinstance(world, ChipWorld) else Judge(world), 0
    for attempt in range(ATTEMPTS):
        before = world.task.state.value
        result = _attempt(world, judge, outcomes, tell=tell)
        tells_the_end = result is not None and result.outcome == "old-version" and attempt == 1 and begun > 0
        if attempt > 0 and not tells_the_end:  # what the attempt before had started ended so: one more
            wrong = ends_right(world, result, before in ("failed", "cancelled"))
            if wrong is not None:
                raise Broken(f"attempt {attempt + 1} after {outcomes[:-1]}: {wrong}")
            if result is not None and result.outcome != "updated-unreported":
                break
        if result is not None and result.outcome in FINAL:
            break
        begun = len(world.module.starts)
        world.clock.sleep(world.scenario.pause_s)
        world.heal(power_cycle=outcomes[-1] == "no-answer")
    if result is not None and result.outcome in UPDATED:
        _again(world, judge, outcomes, tell=tell)
    judge.end()


def _attempt(world: World, judge: Judge, outcomes: list[str], *, tell: bool) -> JobResult | None:
    """One job, judged; None if its process died."""
    judge.begin()
    result = world.attempt()
    outcomes.append("killed" if result is None else str(result.outcome))
    if tell:
        _show(world, outcomes[-1], result.error if result is not None else None)
    judge.after(result)
    return result


def _again(world: World, judge: Judge, outcomes: list[str], *, tell: bool) -> None:
    """Run the same command once more after a good end: it finds nothing to do and reports nothing."""
    expected: tuple[str, ...] = NOTHING_TO_DO
    if world.disk_is_full:  # the verdict could not be written: then the next one confirms once more
        expected += ("updated",)
    world.heal(power_cycle=False)
    starts, reported = len(world.module.starts), list(world.task.reported)
    _attempt(world, judge, outcomes, tell=tell)
    if outcomes[-1] not in expected:
        raise Broken(f"once more after {outcomes[:-1]}: the last one ended {outcomes[-1]}")
    if len(world.module.starts) > starts:
        raise Broken(f"once more after {outcomes[:-1]}: something was started")
    if (now := world.task.reported) != reported:
        raise Broken(f"once more after {outcomes[:-1]}: the platform was told {now[len(reported) :]}")


def _kind(text: str) -> str:
    """A broken promise without its numbers."""
    return "".join(char for char in text if not char.isdigit())[:60]


def _show(world: World, outcome: str, error: object) -> None:
    for event in world.events:
        if isinstance(event, StageEvent):
            print(f"  {event.stage:9} {event.state:8} {event.detail}")
        elif isinstance(event, Note):
            print(f"            {event.level}: {event.text}")
        elif not isinstance(event, Progress):
            print(f"            {event}")
    print(f"  => {outcome} {error or ''}")
    module = world.module
    print(
        f"  truth: runs {module.version} (updating: {module.updating}), starts {module.starts},"
        f" task {world.task.state.value}, told {world.task.reported},"
        f" struck {module.faults.struck}, at {world.clock.monotonic():.1f} s"
    )


def repeat(scenario: Scenario) -> int:
    """Run one scenario and print its steps; 1 if a promise is broken."""
    print(scenario.text)
    result = simulate(scenario, tell=True)
    print(f"BROKEN: {result.broken}" if result.broken is not None else "no promise was broken")
    return 1 if result.broken is not None else 0
