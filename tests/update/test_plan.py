"""May this module be given this package? A table."""

from typing import Any

import msgspec
import pytest

from atota.dialects import catalogue, loader
from atota.errors import Refused
from atota.fota.eligibility import method_refusal, package_refusal
from atota.settings.board import Accept, Board
from atota.settings.spec import Allowed
from atota.update.plan import (
    AlreadyCurrent,
    Decision,
    Goal,
    Proceed,
    base_from_name,
    decide,
    is_downgrade,
    require_accepted,
)
from atota.values import Identity, Refusal

WHO = Identity(model="BC28", version="BC28JAR01A03", revision="BC28JAR01A03", signal=20, battery_percent=80)
TARGET = "BC28JAR01A05"


def judged(
    who: Identity = WHO, allowed: Allowed | None = None, model: str = "BC28", **wanted: Any
) -> Decision:
    row = catalogue.by_name(model)
    assert row is not None
    wanted = {"target": TARGET, "expected": TARGET, **wanted}
    who = msgspec.structs.replace(who, evidence=row.evidence)
    allowed = allowed or Allowed()
    refusal = method_refusal(loader.load(row.dialect), row, allowed, who.evidence)
    return decide(who, Goal(**wanted), allowed, refusal)


def who(**changed: Any) -> Identity:
    return Identity(**{name: getattr(WHO, name) for name in WHO.__struct_fields__} | changed)


def test_a_fitting_module_goes() -> None:
    assert judged() == Proceed()


@pytest.mark.parametrize("field", ["version", "revision"])
def test_a_module_that_prints_the_target_is_current(field: str) -> None:
    assert judged(who(**{field: TARGET})) == AlreadyCurrent()


def test_current_wins_over_every_refusal() -> None:
    assert judged(who(version=TARGET, signal=0), signal=31) == AlreadyCurrent()


@pytest.mark.parametrize(
    ("module", "wanted", "words"),
    [
        (who(signal=10), {"signal": 10}, "signal above 10"),
        (who(signal=0), {"signal": 1}, "signal above 1"),
        (who(battery_percent=50), {"power": 50}, "battery above 50"),
        (WHO, {"base": "BC28JAR01A02"}, "base version BC28JAR01A02"),
        (who(version=None, revision=None), {"base": "BC28JAR01A02"}, "an unknown one"),
        (WHO, {"target": "BC28JAR01A01", "expected": "BC28JAR01A01"}, "is older than"),
    ],
)
def test_refusals_name_what_is_wrong_and_what_to_do(
    module: Identity, wanted: dict[str, Any], words: str
) -> None:
    verdict = judged(module, **wanted)
    assert isinstance(verdict, Refusal)
    assert words in verdict.why
    assert verdict.hint


@pytest.mark.parametrize(
    ("allowed", "wanted"),
    [
        (Allowed(any_base=True), {"base": "BC28JAR01A02"}),
        (Allowed(downgrade=True), {"target": "BC28JAR01A01", "expected": "BC28JAR01A01"}),
        (Allowed(), {"base": "BC28JAR01A03"}),
        (Allowed(), {"signal": 19, "power": 79}),
        (Allowed(), {"signal": 0, "power": 0}),
    ],
)
def test_what_the_user_takes_on_himself_goes(allowed: Allowed, wanted: dict[str, Any]) -> None:
    assert isinstance(judged(allowed=allowed, **wanted), Proceed)


def test_a_threshold_that_cannot_be_compared_warns() -> None:
    verdict = judged(who(signal=None, battery_percent=None), signal=5, power=5)
    assert isinstance(verdict, Proceed)
    assert len(verdict.warnings) == 2


def test_a_module_without_a_known_method_is_refused_whatever_is_allowed() -> None:
    refusal = method_refusal(loader.load("3gpp"), None, Allowed(unproven=True), WHO.evidence)
    verdict = decide(WHO, Goal(TARGET, TARGET), Allowed(unproven=True), None, refusal)
    assert isinstance(verdict, Refusal)
    assert "no known way" in verdict.why


def test_an_unproven_method_needs_a_word() -> None:
    dialect = loader.load("hi2115")
    verdict = decide(WHO, Goal(TARGET, TARGET), Allowed(), method_refusal(dialect, None, Allowed(), None))
    assert isinstance(verdict, Refusal)
    assert "--allow-unproven" in verdict.hint
    allowed = Allowed(unproven=True)
    refusal = method_refusal(dialect, None, allowed, None)
    assert isinstance(decide(WHO, Goal(TARGET, TARGET), allowed, refusal), Proceed)


def test_a_package_of_the_platform_needs_a_word_where_the_chip_cannot_take_its_form() -> None:
    """OneNET makes packages of its own form for some chips, which the vendor's command does not take."""
    made = [
        loader.load(row.dialect) for row in catalogue.rows() if loader.load(row.dialect).platform_makes_deltas
    ]
    refusals = [package_refusal(dialect, Allowed()) for dialect in made]
    assert any(refusal is not None and "--vendor-package" in refusal.hint for refusal in refusals)
    assert {package_refusal(dialect, Allowed(vendor_package=True)) for dialect in made} == {None}


@pytest.mark.parametrize(
    ("current", "target", "down"),
    [
        ("BC28JAR01A03", "BC28JAR01A02", True),
        ("BC28JAR01A09", "BC28JAR01A10", False),
        ("BC28JAR01A10", "BC28JAR01A9", True),
        ("V150R100C20B300SP5", "V150R100C20B300SP7", False),
        ("V150R100C20B500", "V150R100C20B300", True),
        ("1.0", "2", False),
        ("BC28JAR01A03", "SOMETHING", False),
        ("1805231447", "1805231446", True),
    ],
)
def test_downgrades_are_told_only_between_versions_of_one_pattern(
    current: str, target: str, down: bool
) -> None:
    assert is_downgrade(current, target) is down


@pytest.mark.parametrize(
    ("name", "versions"),
    [
        ("BC68JAR01A10_TO_BC68JAR01A09_09.bin", ("BC68JAR01A10", "BC68JAR01A09")),
        ("BC28JAR01A03_to_BC28JAR01A05.bin", ("BC28JAR01A03", "BC28JAR01A05")),
        ("app.bin", None),
        ("A_TO_B", None),
    ],
)
def test_a_file_name_may_tell_base_and_target(name: str, versions: tuple[str, str] | None) -> None:
    assert base_from_name(name) == versions


def test_a_board_accepts_its_models_only() -> None:
    board = Board(name="b", accept=Accept(model="BC(28|95)"))
    require_accepted(board, WHO)
    require_accepted(None, WHO)
    with pytest.raises(Refused, match="accepts BC"):
        require_accepted(board, who(model="M5310-A"))
    with pytest.raises(Refused, match="unknown"):
        require_accepted(board, who(model=None))
