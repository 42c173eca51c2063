"""Transcripts as tests: all that are kept are replayed, and what a host does otherwise is found.

Where the host's conversation has changed on purpose, `scripts/trace-to-test --renew` records them again.
"""

import re
from pathlib import Path
from typing import Any

import pytest

from atota.clock import SimulatedClock
from atota.dialects import catalogue, loader
from atota.errors import ConfigError, ReplayDiverged
from atota.link.base import Link
from atota.link.ports import PortInfo
from atota.module.module import Module
from atota.settings.head import head_of
from atota.settings.spec import JobSpec, LocalPackage
from atota.sim.link import SimLink, make_module
from atota.sim.package import build_package
from atota.testing.recorded import Ending, expectations, expected, known_package, replayed
from atota.transcript.masking import Masker
from atota.transcript.recording import Fault, Opened, Traffic, read_recording
from atota.transcript.writer import TranscriptLink
from atota.update.events import JobResult
from atota.update.job import Job
from atota.values import Digests
from tests.meta.sources import ROOT

FOLDER = ROOT / "tests" / "traces" / "recorded"
KEPT = sorted(FOLDER.glob("*.transcript"))
BASE, TARGET = "BC28JAR01A03", "BC28JAR01A05"
PACKAGE = build_package(model="BC28", base=BASE, target=TARGET, size=3000)


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_what_was_recorded_ends_as_it_did(path: Path) -> None:
    assert replayed(path) == expected(read_recording(path))


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_no_transcript_that_is_kept_has_a_secret_in_it(path: Path) -> None:
    masker = Masker()
    for entry in read_recording(path).entries:
        assert not isinstance(entry, Traffic) or masker.hidden(entry.direction, entry.data) == ()


def test_there_is_a_transcript_of_each_method() -> None:
    dialects = [loader.load(row.dialect) for row in catalogue.rows() if row.dialect]
    methods = {dialect.method.kind for dialect in dialects if dialect.method is not None}
    methods |= {dialect.method.kind for dialect in loader.all_built_in() if dialect.method is not None}
    assert len(methods) >= 9
    names = {path.stem for path in KEPT}
    assert [method for method in methods if not any(name.startswith(f"{method}-") for name in names)] == []


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_a_host_that_says_one_byte_otherwise_is_found_out(tmp_path: Path, path: Path, share: float) -> None:
    recording = read_recording(path)
    said = [
        one
        for one in recording.entries
        if isinstance(one, Traffic) and one.direction == ">" and not one.hidden
    ]
    entry = said[int(share * len(said))]
    lines = path.read_text(encoding="ascii").split("\n")
    lines[entry.line - 1] = re.sub(r"> (\\x..|\\.|.)", "> ~", lines[entry.line - 1])
    changed = tmp_path / path.name
    changed.write_text("\n".join(lines), encoding="ascii")
    changed.with_suffix(".package").write_bytes(known_package(recording))
    with pytest.raises(ReplayDiverged) as caught:
        replayed(changed)
    assert caught.value.line == entry.line


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_wherever_a_transcript_was_cut_off_it_is_replayed_up_to_there(tmp_path: Path, path: Path) -> None:
    lines = path.read_text(encoding="ascii").splitlines(keepends=True)
    cut = tmp_path / path.name
    for end in range(len(lines) // 3, len(lines), len(lines) // 5):
        cut.write_text("".join(lines[:end]), encoding="ascii")
        outcome = replayed(cut)
        assert (
            outcome.version_before == expected(read_recording(path)).version_before
            or not outcome.version_before
        )


# -- what a user may attach -----------------------------------------------------------------------------


class Adapters:
    """Finds the adapter at once."""

    def remember(self, port: str) -> PortInfo | None:
        return PortInfo(device=port, usb_id="0403:6001")

    def find(self, known: PortInfo) -> str | None:
        return known.device


def recorded(folder: Path, *faults: str, comes_back: bool = False, **how: Any) -> tuple[Path, JobResult]:
    """The transcript of a flash of a simulated module, and what came of it."""
    clock = SimulatedClock()
    links: list[SimLink] = [SimLink(make_module("BC28", faults=faults), clock, latency_s=0.001)]
    package = folder / "package.bin"
    package.write_bytes(PACKAGE)
    local = LocalPackage(package, Digests.of(PACKAGE).md5, TARGET)
    spec = JobSpec(port="sim://BC28", package=local, **how)
    path = folder / "t.transcript"
    with path.open("w", encoding="ascii") as file:
        written: list[TranscriptLink] = []

        def wrapped(link: SimLink) -> Link:
            after = written[-1] if written else None
            written.append(
                TranscriptLink(
                    link, file, masker=Masker(), context=head_of("flash", spec).lines(), after=after
                )
            )
            return written[-1]

        def again(_port: str, rate: int) -> Link:
            links.append(links[-1].replug(rate))
            return wrapped(links[-1])

        def opener(_port: str, **options: Any) -> Module:
            return Module(
                wrapped(links[0]), stop=options["stop"], listener=options["listener"], reopener=again
            )

        result = Job(spec, opener=opener, adapters=Adapters() if comes_back else None).run()
    return path, result


def outcome_of(result: JobResult) -> Ending:
    return Ending(
        outcome=result.outcome,
        exit_code=result.exit_code,
        version_before=result.version_before,
        version_after=result.version_after,
    )


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ("refuse-start", "write-failed"),
        ("rollback", "old-version"),
        ("stay-dead-after-update", "unknown-after-reboot"),
        ("mute", "no-answer"),
        ("lose-reply:2", "updated"),
        ("reboot-at-block:3", "updated"),
        ("brownout-at-block:2", "updated"),
        ("urc-storm:0.3", "updated"),
        ("back-at-baud:115200", "updated"),
        ("unplug-at:5", "port"),
    ],
)
def test_a_job_that_went_in_whatever_way_goes_that_way_again(
    tmp_path: Path, fault: str, outcome: str
) -> None:
    path, result = recorded(tmp_path, fault)
    assert result.outcome == outcome
    assert replayed(path) == outcome_of(result)


def test_an_adapter_that_came_back_comes_back(tmp_path: Path) -> None:
    path, result = recorded(tmp_path, "unplug-at:3", comes_back=True)
    assert result.outcome == "updated", result.error
    kinds = {type(entry) for entry in read_recording(path).entries}
    assert {Fault, Opened} <= kinds
    assert replayed(path) == outcome_of(result)


def test_options_that_the_conversation_depends_on_are_kept(tmp_path: Path) -> None:
    path, result = recorded(tmp_path, block=128, transfer_baud=0, baud=9600, model="BC28")
    assert result.outcome == "updated", result.error
    assert replayed(path) == outcome_of(result)
    plain = path.read_text(encoding="ascii")
    assert '"block":128' in plain
    path.write_text(re.sub(r"# options .*\n", "", plain), encoding="ascii")
    with pytest.raises(ReplayDiverged):
        replayed(path)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_transcript_that_was_cut_off_is_replayed_up_to_there(tmp_path: Path, share: float) -> None:
    path, _ = recorded(tmp_path)
    text = path.read_text(encoding="ascii")
    path.write_text(text[: int(share * len(text))], encoding="ascii")
    outcome = replayed(path)
    assert outcome.goes_on
    assert outcome.outcome != "updated"


def test_a_host_that_ends_before_its_recording_has_parted_from_it(tmp_path: Path) -> None:
    path, _ = recorded(tmp_path)
    text = path.read_text(encoding="ascii")
    last = text.splitlines()[-1].split()[0]
    path.write_text(text.replace(f"{last} ! closed", rf"{last} > AT+MORE\r"), encoding="ascii")
    with pytest.raises(ReplayDiverged, match=r"continues with `> AT\+MORE.*the host has ended"):
        replayed(path)


def test_what_is_expected_is_written_and_read() -> None:
    for outcome in (
        Ending(outcome="updated", exit_code=0, version_before="A 1", version_after="A 2"),
        Ending(outcome="no-answer", exit_code=5, goes_on=True),
    ):
        recording = read_recording(KEPT[0])
        head = tuple((key, text) for key, text in expectations(outcome))
        assert expected(type(recording)(recording.path, head, recording.entries, cut_off=False)) == outcome


def test_a_transcript_without_expectations_is_no_test(tmp_path: Path) -> None:
    path, _ = recorded(tmp_path)
    with pytest.raises(ConfigError, match="does not say what is expected"):
        expected(read_recording(path))


@pytest.mark.parametrize("line", ["# command dance", "# package x", "# options {", '# options {"baud":"x"}'])
def test_a_head_that_makes_no_sense_is_an_error(tmp_path: Path, line: str) -> None:
    path = tmp_path / "t"
    command = "" if "command" in line else "# command flash\n"
    path.write_text(f"# atota transcript 1\n{command}{line}\n", encoding="ascii")
    with pytest.raises(ConfigError):
        replayed(path)
