"""Reviews of dialect profiles, for people and programs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

import atota
from atota.cli.view.output import Output, styled
from atota.dialects.common import Send
from atota.review.review import Against, Review


def checkout_traces() -> Path | None:
    """Return the folder of traces if atota runs from its source tree, else None."""
    folder = Path(atota.__file__).parents[1] / "tests" / "traces"
    return folder if folder.is_dir() else None


def review_fields(review: Review) -> dict[str, Any]:
    """Return a review as JSON has it."""
    fields: dict[str, Any] = msgspec.to_builtins(review)
    return {**fields, "ok": not review.wrong}


def show_review(out: Output, review: Review, *, whole: bool) -> None:
    """Print a review for people; ``whole``: with everything that no trace or document backs."""
    colour, verdict = ("red", "wrong") if review.wrong else ("green", "fine")
    out.page(styled(f"[bold]{{}}[/]  [{colour}]{{}}[/]  {{}}", review.name, verdict, review.title))
    for mistake in review.mistakes:
        out.page(f"  {mistake}")
        if mistake.hint is not None:
            out.page(styled("    [bold]next:[/] {}", mistake.hint))
    for one in review.against:
        out.page(f"  {one.persona}: {_outcome(one)}")
    if review.mistakes:
        return
    if review.not_played is not None:
        out.page(f"  not played: {review.not_played}")
    traced = any(one.reading is not None for one in review.against)
    if whole:
        _show_backing(out, review, traced=traced)
    out.page(f"  {_summary(review, traced=traced)}")


def _outcome(one: Against) -> str:
    parts = []
    if one.played is not None:
        seconds = f"{one.played.seconds:.0f} simulated seconds"
        ending = f" in {seconds}" if one.played.good else f": {one.played.trouble}"
        parts.append(one.played.outcome + ending)
    if one.reading is None:
        return "; ".join([*parts, "no traces here"])
    fields = ", ".join(f"{name} {value}" for name, value in one.reading.fields.items() if name != "imei")
    return "; ".join([*parts, f"its traces read as {fields or 'nothing'}"])


def _summary(review: Review, *, traced: bool) -> str:
    unseen = (
        f"{len(_texts(review.unseen))} commands stand in no trace" if traced else "no trace to compare with"
    )
    hardware = "seen on hardware" if review.hardware == "seen" else "never seen on hardware"
    return f"{unseen}, {len(_texts(review.weak))} name no document, {hardware}"


def _show_backing(out: Output, review: Review, *, traced: bool) -> None:
    for heading, sends in (
        ("stands in no trace", review.unseen if traced else ()),
        ("names no document", review.weak),
        ("was not needed by any job", _unsent(review)),
    ):
        for text, path in _texts(sends).items():
            out.page(styled("  [dim]{}:[/] {}  [dim]{}[/]", heading, text, path))
    for path in review.unmatched if traced else ():
        out.page(styled("  [dim]fits no line of a trace:[/] {}", path))


def _texts(sends: Sequence[Send]) -> dict[str, str]:
    """Return each command once, with the place where it stands first."""
    return {send.text: send.path for send in reversed(sends)}


def _unsent(review: Review) -> list[Send]:
    jobs = [one.played.unsent for one in review.against if one.played is not None]
    return [send for send in jobs[0] if all(send in unsent for unsent in jobs)] if jobs else []
