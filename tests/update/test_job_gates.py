"""What may be pushed into which module, and what the user has to say for it; addresses that are secrets."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from atota.clock import SimulatedClock
from atota.dialects import loader
from atota.errors import Refused
from atota.fota.registry import method_for
from atota.module.session import Session
from atota.settings.spec import Allowed
from atota.sim.link import open_sim_link
from tests.update.streams import free_port

MakeBench = Callable[..., Any]


TOKEN = "ota_5hc95SFeo5xJEnaNrste"  # the platform's own example


@pytest.mark.parametrize(
    ("model", "word"),
    [
        ("EC21", None),
        ("SIM7000C", None),
        ("ME3616", None),
        ("EC800M", "inferred"),
        ("UNKNOWN-HI2115", "none"),
    ],
)
def test_a_method_without_evidence_needs_the_users_word(
    make_bench: MakeBench, model: str, word: str | None
) -> None:
    bench = make_bench(model)
    result = bench.flash()
    bench.judge(result)
    if word is None:
        assert result.outcome == "updated"
        return
    assert (result.outcome, result.exit_code) == ("refused", 6)
    assert result.error is not None
    assert f"is: {word}" in result.error.message
    assert "--allow-unproven" in result.error.hint
    allowed = bench.flash(allowed=Allowed(unproven=True))
    bench.judge(allowed)
    assert allowed.outcome == "updated"


def test_a_module_under_a_wrong_name_is_refused_and_never_pushed_to_unwarned(make_bench: MakeBench) -> None:
    bench = make_bench("BC28-CLONE")
    for how in ({}, {"model": "BC28"}):
        result = bench.flash(**how)
        bench.judge(result)
        assert (result.outcome, result.exit_code) == ("refused", 6)
        assert result.error is not None
        assert "another chip may be inside" in result.error.message
    result = bench.flash(dialect="xy1100", allowed=Allowed(unproven=True))
    bench.judge(result)
    assert result.outcome == "updated", result.error
    assert any("another chip may be inside" in text for text in result.warnings)


@pytest.mark.parametrize("model", ["SIM7000C", "SIM7020C", "ME3616", "BC26"])
def test_a_package_of_the_platforms_own_format_is_not_taken_for_the_vendors(
    make_bench: MakeBench, model: str
) -> None:
    bench = make_bench(model)
    result = bench.run()
    bench.judge(result)
    assert (result.outcome, result.exit_code) == ("refused", 6)
    assert result.error is not None
    assert "--vendor-package" in result.error.hint
    assert bench.reported == []


def test_a_module_that_fetches_itself_needs_an_address(make_bench: MakeBench) -> None:
    bench = make_bench("BC26")
    result = bench.flash()
    bench.judge(result)
    assert (result.outcome, result.exit_code) == ("refused", 6)
    assert result.error is not None
    assert "--serve-url" in result.error.hint


@pytest.mark.parametrize(
    "address",
    [
        f"https://ota.example/ota/south/download/{TOKEN}",
        f"http://ota.example/{'x' * 230}/{TOKEN}",
        f'http://ota.example/"/{TOKEN}',
    ],
)
def test_an_address_that_the_module_cannot_take_is_refused_and_not_repeated(
    tmp_path: Path, address: str
) -> None:
    package = tmp_path / "p.bin"
    package.write_bytes(b"package")
    method = method_for(loader.load("quectel-bc26"))
    method.set_url(address)
    with pytest.raises(Refused) as caught:
        method.check(package)
    told = f"{caught.value!r} {caught.value} {caught.value.hint} {caught.value.tried}"
    assert TOKEN not in told
    assert "ota.example" not in told
    assert "--serve-url" in caught.value.hint


@pytest.mark.parametrize(
    "fault", ["", "lose-reply:start", "refuse-start", "fail-download", "silent-at:start"]
)
def test_no_error_note_or_result_repeats_the_address(make_bench: MakeBench, fault: str) -> None:
    bench = make_bench("BC26", fault)
    seen: list[str] = []
    result = bench.flash(serve_url=f"http://127.0.0.1:{free_port()}", allowed=Allowed(vendor_package=True))
    bench.judge(result)
    error = result.error
    seen += map(repr, bench.events)
    seen += result.warnings
    if error is not None:
        seen += [error.message, error.hint, *error.tried, repr(error), repr(error.__cause__)]
    seen.append(msgspec.json.encode(result.stages_ms).decode())
    assert not re.search(r"[0-9a-f]{16}|update\.zip|127\.0\.0\.1", "\n".join(seen)), seen


def test_free_space_is_asked_before_the_first_byte(tmp_path: Path) -> None:
    package = tmp_path / "p.bin"
    package.write_bytes(b"package" * 1000)
    link = open_sim_link("sim://SIM7000C?baud=115200", baud=115200, clock=SimulatedClock())
    updater: Any = link.module.updater
    updater._rules = replace(updater._rules, capacity=6999)
    session = Session(link, loader.load("simcom-sim7000"))
    method = method_for(session.dialect)
    method.check(package)
    method.prepare(session)
    with pytest.raises(Refused, match="6999 bytes free; 7000 are needed"):
        method.write(session, package, lambda _done, _total: None)
    assert "piece 0" not in link.module.history
    assert session.command("AT+CFSINIT").ok, "the file system was not closed"
    link.close()
