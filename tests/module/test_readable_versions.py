"""A version that the dialect could never read is known before the first byte."""

import msgspec
import pytest

from atota.dialects.model import Query
from atota.module.identify import Findings, can_read
from atota.module.module import open_module


def found(model: str) -> Findings:
    with open_module(f"sim://{model}?speed=max") as module:
        module.identify()
        assert module.findings is not None
        return module.findings


@pytest.mark.parametrize(
    ("model", "name", "is_readable"),
    [
        ("BC28", "BC28JAR01A05", True),
        ("BC28", "BC28JAR01A05_V02", True),
        ("BC28", "BC28 JAR01A05", False),
        ("M5310-A", "M5310-A-MONH0S01", True),
        ("M5310-A", "the new one", False),
        ("SARA-N200", "V100R100C10B657SP3", True),
        ("EC21", "EC21EFAR06A05M4G", True),
    ],
)
def test_a_name_is_readable_where_the_module_could_print_it(model: str, name: str, is_readable: bool) -> None:
    assert can_read(found(model), name) is is_readable


def test_a_pattern_that_is_too_narrow_for_the_target_is_noticed() -> None:
    findings = found("BC28")
    narrow = Query(field="version", send="AT+CGMR", pattern="(BC28JAR01A0[34])", source="own")
    dialect = msgspec.structs.replace(findings.dialect, identify=(narrow,))
    printed = {"AT+CGMR": ("Version BC28JAR01A03",)}
    findings = msgspec.structs.replace(findings, dialect=dialect, printed=printed)
    assert can_read(findings, "BC28JAR01A04")
    assert not can_read(findings, "BC28JAR01A05")


def test_every_present_version_of_a_simulated_module_is_readable_as_it_is() -> None:
    for model in ("BC28", "BC95-B8", "SIM7000C", "SIM7020C", "ME3616", "EC21", "BG96", "SARA-R410", "XY1100"):
        findings = found(model)
        assert findings.identity.versions.texts
        assert all(can_read(findings, text) for text in findings.identity.versions.texts)
