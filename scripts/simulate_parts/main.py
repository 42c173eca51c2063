"""The command line of `scripts/simulate`."""

import argparse
import gc
import multiprocessing
import os
import secrets
import sys
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any

from scripts.simulate_parts.chips import CHIPS
from scripts.simulate_parts.runs import Run, repeat, simulate
from scripts.simulate_parts.scenario import API_FAULTS, METHODS, STAGES, Scenario, draw, fault_names
from scripts.simulate_parts.shift import run_shift
from scripts.simulate_parts.shift_judge import Shift
from scripts.simulate_parts.shrink import shrunk

CHUNK = 50
SHIFT_UNITS = 200
"""Units of one shift of a station: with more, its journal would not stay small."""


def arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/simulate",
        description="Run whole jobs on simulated modules and chips with composed faults; exit 1 for a broken"
        " promise. Every tenth is a chip.",
    )
    parser.add_argument("--runs", type=int, default=1000, metavar="N", help="scenarios to run (default 1000)")
    parser.add_argument(
        "--seed", type=int, metavar="S", help="where the scenarios begin (default: a fresh one)"
    )
    parser.add_argument("--method", choices=sorted((*METHODS, *CHIPS)), help="only this method or protocol")
    parser.add_argument("--chips", action="store_true", help="only chips")
    parser.add_argument("--stage", choices=STAGES, help="kill the process as this stage begins, in every run")
    parser.add_argument("--fault", metavar="F", help="add this fault to every run; `list` shows them")
    parser.add_argument("--api", choices=sorted(API_FAULTS), help="only this API of the platform")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes (default 1)")
    parser.add_argument("--keep-going", action="store_true", help="do not stop at the first broken promise")
    parser.add_argument("--station", action="store_true", help="shifts of a station with N units instead")
    parser.add_argument("--lanes", type=int, default=8, metavar="N", help="its lanes (default 8)")
    parser.add_argument("--scenario", metavar="JSON", help="run just this one, and tell it step by step")
    return parser.parse_args(words)


def run(words: list[str]) -> int:
    given = arguments(words)
    if given.fault == "list":
        print("\n".join(fault_names()))
        return 0
    if given.scenario is not None:
        return repeat(Scenario.parse(given.scenario))
    if given.station:
        return _shifts(given)
    gc.set_threshold(200_000)  # what a run leaves is thrown away as a whole
    seed = given.seed if given.seed is not None else secrets.randbelow(10**9)
    print(f"seed {seed}, {given.runs} runs", flush=True)
    began, cpu = time.perf_counter(), _cpu_s()
    tally, jobs, broken, done = Counter[str](), 0, [], 0
    for result in _results(given, seed):
        done += 1
        jobs += result.jobs
        tally.update(result.outcomes)
        if result.broken is not None:
            broken.append(result)
            _report(result)
            if not given.keep_going:
                break
        if done % 10000 == 0:
            print(f"  {done} runs, {len(broken)} broken", flush=True)
    took, cpu = time.perf_counter() - began, _cpu_s() - cpu
    print(
        f"{done} runs, {jobs} jobs in {took:.0f} s: {jobs / took:.0f} jobs/s"
        f" ({jobs / max(cpu, 0.01):.0f} a second of a core)"
    )
    print("  " + ", ".join(f"{name} {count}" for name, count in tally.most_common()))
    print(f"{len(broken)} broken promises" if broken else "no promise was broken")
    return 1 if broken else 0


def _shifts(given: argparse.Namespace) -> int:
    """Run the shifts of a station, each with a seed of its own; return the exit code."""
    gc.set_threshold(200_000)  # as above
    seed = given.seed if given.seed is not None else secrets.randbelow(10**9)
    print(f"seed {seed}, {given.runs} units, {given.lanes} lanes", flush=True)
    began, cpu = time.perf_counter(), _cpu_s()
    tally, jobs, deaths, simulated_s, broken, units = Counter[str](), 0, 0, 0.0, 0, 0
    for shift in _results_of_shifts(given, seed):
        tally.update(shift.verdicts)
        jobs, deaths, units = jobs + shift.begun, deaths + shift.deaths, units + shift.units
        simulated_s += shift.simulated_s
        if shift.broken:
            broken += 1
            again = f"--seed {shift.seed} --runs {shift.units} --lanes {given.lanes}"
            print(f"BROKEN: {shift.broken[0]}\n  again: scripts/simulate --station {again}", flush=True)
            if not given.keep_going:
                break
        if units // 10_000 > (units - shift.units) // 10_000:
            print(f"  {units} units, {jobs} jobs, {broken} broken shifts", flush=True)
    took, cpu = time.perf_counter() - began, _cpu_s() - cpu
    print(
        f"{units} units, {jobs} jobs, {sum(tally.values())} verdicts, {deaths} deaths of the process in"
        f" {simulated_s / 3600:.1f} simulated hours: {took:.0f} s, {jobs / took:.0f} jobs/s"
        f" ({jobs / max(cpu, 0.01):.0f} a second of a core)"
    )
    print("  " + ", ".join(f"{name} {count}" for name, count in tally.most_common()))
    print(f"{broken} broken shifts" if broken else "no promise was broken")
    return 1 if broken else 0


def _results_of_shifts(given: argparse.Namespace, seed: int) -> Iterator[Shift]:
    """Run the units in shifts of `SHIFT_UNITS`; the last one has the rest."""
    sizes = [SHIFT_UNITS] * (given.runs // SHIFT_UNITS) + [given.runs % SHIFT_UNITS or None]
    calls = [(seed + number, size, given.lanes) for number, size in enumerate(sizes) if size is not None]
    if given.jobs == 1:
        yield from map(_one_shift, calls)
        return
    with multiprocessing.Pool(given.jobs) as pool:
        yield from pool.imap_unordered(_one_shift, calls)


def _one_shift(call: tuple[int, int, int]) -> Shift:
    seed, units, lanes = call
    return run_shift(seed, units=units, lanes=lanes)


def _cpu_s() -> float:
    """Return the processor time of this process and of those that it has waited for, in seconds."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def _results(given: argparse.Namespace, seed: int) -> Iterator[Run]:
    work = partial(
        _one, method=given.method, stage=given.stage, fault=given.fault, api=given.api, is_chip=given.chips
    )
    seeds = range(seed, seed + given.runs)
    if given.jobs == 1:
        yield from map(work, seeds)
        return
    with multiprocessing.Pool(given.jobs) as pool:
        yield from pool.imap_unordered(work, seeds, chunksize=CHUNK)


def _one(seed: int, **filters: Any) -> Run:
    return simulate(draw(seed, **filters))


def _report(run: Run) -> None:
    print(f"BROKEN: {run.broken}\n  as drawn: scripts/simulate --scenario '{run.scenario.text}'", flush=True)
    least = shrunk(run.scenario, run.kind)
    print(f"  least:    scripts/simulate --scenario '{least.text}'", flush=True)
    sys.stdout.flush()
