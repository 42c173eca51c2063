"""The time of `atota --help`, next to a Typer app that does nothing, and the modules that it loads.

Median of several runs, in turns, so that other load of the machine hits both.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

GOAL_RATIO = 1.3
HEAVY = ("httpx", "serial", "starlette", "uvicorn", "sqlite3", "rich")
BARE = """
import typer

app = typer.Typer()


@app.command()
def hello(name: str = "you") -> None:
    "Say hello."


@app.command()
def bye(name: str = "you") -> None:
    "Say good-bye."


app()
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs", type=int, default=15, help="runs of each (default 15)")


def run(arguments: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder) / "bare.py"
        bare.write_text(BARE)
        commands = {"bare Typer": [str(bare), "--help"], "atota": ["-m", "atota", "--help"]}
        seconds: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(arguments.runs + 1):
            for name, words in commands.items():
                seconds[name].append(timed(words))
    medians = {
        name: statistics.median(times[1:]) for name, times in seconds.items()
    }  # the first fills caches
    for name, median in medians.items():
        print(f"{name:12} --help: {1000 * median:6.0f} ms (median of {arguments.runs})")
    ratio = medians["atota"] / medians["bare Typer"]
    print(f"ratio: {ratio:.2f} (goal: under {GOAL_RATIO})")
    loaded = heavy_modules()
    print(f"import atota.cli.app loads of {', '.join(HEAVY)}: {', '.join(loaded) or 'none'}")
    return 0 if ratio < GOAL_RATIO and not loaded else 1


def timed(words: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *words], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def heavy_modules() -> list[str]:
    code = f"import sys, atota.cli.app; print(*[name for name in {HEAVY} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return ran.stdout.split()
