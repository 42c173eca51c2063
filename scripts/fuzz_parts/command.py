"""The command line of `scripts/fuzz`."""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from scripts.fuzz_parts import engine
from scripts.fuzz_parts.target import Target

SHORT_S, LONG_S = 5.0, 60.0
SCRIPT = Path(__file__).resolve().parent.parent / "fuzz"


def main(words: Sequence[str], about: str = "") -> int:
    """Run the targets; 0 if every promise held, 1 if one was broken."""
    arguments = _parser(about).parse_args(words)
    targets = load(with_atheris=_by_atheris(arguments) and arguments.target is not None)
    if arguments.list:
        width = max(map(len, targets))
        print("\n".join(f"{name:{width}}  {target.promise}" for name, target in targets.items()))
        return 0
    if arguments.target is None:
        return max(_alone(name, arguments) for name in targets)
    if arguments.target not in targets:
        print(f"unknown target {arguments.target!r}: {', '.join(targets)}", file=sys.stderr)
        return 2
    target = targets[arguments.target]
    return _repeat(target, arguments.input) if arguments.input is not None else _hunt(target, arguments)


def _parser(about: str) -> argparse.ArgumentParser:
    summary, _, more = about.partition("\n")
    parser = argparse.ArgumentParser(prog="fuzz", description=summary, epilog=more.strip() or None)
    parser.add_argument(
        "target", nargs="?", metavar="TARGET", help="what to fuzz; all, one by one, if not given"
    )
    parser.add_argument("--list", action="store_true", help="tell the targets and their promises")
    parser.add_argument("--runs", type=int, metavar="N", help="stop after N inputs")
    parser.add_argument(
        "--seconds", type=float, metavar="S", help=f"stop after S seconds ({LONG_S:g}; all: {SHORT_S:g} each)"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="of the engine's chance (default 1)")
    parser.add_argument("--engine", choices=("atheris", "built-in"), help="which one makes the inputs")
    parser.add_argument("--input", type=bytes.fromhex, metavar="HEX", help="try this input and nothing else")
    return parser


def _by_atheris(arguments: argparse.Namespace) -> bool:
    if arguments.engine is None:
        return engine.HAVE_ATHERIS and arguments.input is None and not arguments.list
    return bool(arguments.engine == "atheris")


def load(*, with_atheris: bool = False) -> dict[str, Target]:
    """All targets by name; with atheris the code that they lead to counts where it goes."""
    if with_atheris:
        import atheris

        context = atheris.instrument_imports(include=["atota"], enable_loader_override=False)
    else:
        context = nullcontext()
    with context:
        from scripts.fuzz_parts.registry import TARGETS
    return {target.name: target for target in TARGETS}


def _alone(name: str, arguments: argparse.Namespace) -> int:
    """One of all the targets, in a process of its own: atheris keeps the one that it has been used in."""
    words = [name, "--seed", str(arguments.seed)]
    words += ["--engine", arguments.engine] if arguments.engine else []
    words += ["--runs", str(arguments.runs)] if arguments.runs is not None else []
    seconds = arguments.seconds or (SHORT_S if arguments.runs is None else None)
    words += ["--seconds", str(seconds)] if seconds is not None else []
    return 1 if subprocess.run([sys.executable, str(SCRIPT), *words], check=False).returncode else 0


def _repeat(target: Target, data: bytes) -> int:
    try:
        with engine.limited() as begin:
            begin()
            engine.attempt(target, data)
    except engine.Failure as failure:
        print(failure.report)
        return 1
    print(f"{target.name}: the promise holds for this input")
    return 0


def _hunt(target: Target, arguments: argparse.Namespace) -> int:
    seconds = arguments.seconds or (LONG_S if arguments.runs is None else None)
    tally = engine.Tally(arguments.runs, seconds)
    if _by_atheris(arguments):
        engine.led(target, tally, arguments.seed)
    try:
        engine.built_in(target, tally, arguments.seed)
    except engine.Failure as failure:
        print(failure.report)
        return 1
    print(tally.summary(target.name, "hypothesis"))
    return 0
