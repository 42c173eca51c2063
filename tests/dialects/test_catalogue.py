"""The catalogue is the platform's table, row for row, and recognises modules by what they really answer."""

import csv
import re
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atota.dialects import catalogue
from atota.dialects.catalogue import Row, by_name, find, rows, suggestions
from atota.values import Codes

TABLE = Path(__file__).with_name("onenet-modules.csv")
COLUMNS = ("task_type", "vendor", "model", "manuf_code", "model_code")

HI2110_CGMR = """SECURITY,V100R100C10B657SP5

PROTOCOL,V100R100C10B657SP5

APPLICATION,V100R100C10B657SP5

SEC_UPDATER,V100R100C10B657SP5

APP_UPDATER,V100R100C10B657SP5

RADIO,BC95HB-02-STD_900
"""
HI2115_CGMR = "SSB,V150R100C10B200SP1\r\nSECURITY_A,V150R100C20B300SP5\r\nRADIO,Hi2115_RF0"

# Literal answers from the vendors' manuals and public driver code, or their form with this model's name.
ANSWERS: list[tuple[str | None, str | None, str | None, str]] = [
    ("Quectel", "BC28", "Revision:BC28JAR01A03", "BC28"),
    ("Quectel", "BC28JA-02-STD", HI2115_CGMR, "BC28"),
    ("Quectel", "BC68", "Revision:BC68JAR01A10", "BC68"),
    (None, None, "BC68JAR01A08", "BC68"),
    ("Quectel", "BC35-G", "Revision:BC35GJBR01A01", "BC35-G"),
    (None, "BC35GJB-02-STD", None, "BC35-G"),
    (None, "BC95GJB-02-STD", None, "BC95-G"),
    ("Quectel", "BC95-G", "BC95GJAR01A01", "BC95-G"),
    (None, None, "BC95GJBR02A02", "BC95-G"),
    ("Quectel", "BC95HB-02-STD_900", HI2110_CGMR, "BC95-B8"),
    (None, None, HI2110_CGMR, "BC95-B8"),
    (None, "BC95HB-02-STD_850", None, "BC95-B8"),
    ("Quectel_Ltd", "Quectel_BC26", "Revision: BC26NBR01A01", "BC26"),
    ("Quectel_Ltd\r\nQuectel_BC26\r\nRevision: MTK_2625", "Quectel_BC26", None, "BC26"),
    ("CMCC", "M5310-A", "M5310-A-MONH0S00", "M5310-A"),
    ("CMCC", None, "M5310-A-MONH0S00", "M5310-A"),
    ("CMCC", "M5310", "1805231447", "M5310"),
    ("CMCC", "M5311", None, "M5311"),
    ("CMCC", "M5312", "M5312-PBRH0S00", "M5312"),
    ("CMCC", "GSM Ultimate Data Device", "M5312-PBRH0S00", "M5312"),
    ("CMCC", "M5313", None, "M5313"),
    ("u-blox", "SARA-N200", None, "SARA-N200"),
    ("U-Blox", "N200-02B-00", None, "SARA-N200"),
    ("Lierda", "LSD4NBN-150H01", None, "NB86-G"),
    ("Lierda", None, "APPLICATION,B657R5Lierda1200203\r\nRADIO,LSD4NBN-LB08000002_02", "NB08-01"),
    (None, "[WH-NB73]", None, "WH-NB73"),
    (None, "+MTYPE:NH01A", HI2115_CGMR, "NH01A"),
    ("SIMCOM_Ltd", "SIM7020C", "1752B01V01SIM7020C", "SIM7020C"),
    ("SIMCOM_Ltd", None, "Revision: 1752B01SIM7020C", "SIM7020C"),
    ("SIMCOM_Ltd", None, "1752B06SIM7020C_181011_V2", "SIM7020C"),
    (None, "SIM7000C", None, "SIM7000C"),
    (None, None, "Revision:1529B04SIM7000C", "SIM7000C"),
    (None, "SIM7000C-N", None, "SIM7000C-N"),
    (None, "SIM7030", None, "SIM7030"),
    ("GOSUNCN WELINK Corporation", "ME3616", "SwRevision: ME3616E1AV0.0B01", "ME3616"),
    (None, None, "ME3616C1AV0.0B09", "ME3616"),
    (None, "Model: ME3616", "HwRevision: ME3616_MB_A", "ME3616"),
    ("LONGSUNG", "A9600", None, "A9600-R2"),
]


def fota(model: str) -> Row:
    row = by_name(model)
    assert row is not None
    return row


def test_has_every_row_of_the_platform_s_table_in_its_order() -> None:
    with TABLE.open(encoding="utf-8", newline="") as file:
        wanted = [tuple(line[c] for c in COLUMNS) for line in csv.DictReader(file)]
    assert len(wanted) == 63
    assert [tuple(getattr(row, c) for c in COLUMNS) for row in rows()] == wanted


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row.task_type}-{row.model_code}")
def test_no_cell_is_empty(row: Row) -> None:
    cells = ("vendor", "model", "manuf_code", "model_code", "chip", "dialect", "method", "evidence", "source")
    assert all(getattr(row, cell).strip() for cell in cells)
    assert bool(row.names) == (row.task_type == "fota" and row.model != "其他")
    if row.method == "none":
        assert row.note  # says why there is no method


def test_the_hisilicon_rows_are_those_with_nfwupd() -> None:
    chips = Counter(row.chip for row in rows() if row.method == "nfwupd")
    assert chips == {"Hi2115": 17, "Hi2110": 7, "Hi21xx": 4}
    methods = {"nfwupd", "none", "file-append", "flash-write", "raw-stream", "url-pull", "watched"}
    methods |= {"esp32", "smp", "gd32", "tool"}  # the flashers of the other table
    assert {row.method for row in rows()} == methods


def test_documented_are_only_the_models_whose_manual_has_the_command() -> None:
    documented = {row.model for row in rows() if row.evidence == "documented"}
    hex_blocks = {"BC28", "BC35-G", "BC95-B8", "M5310-A", "SARA-N200"}
    others = {"SIM7000C", "SIM7000C-N", "SIM7020C", "SIM7030", "BC26", "ME3616"}
    chips = {"ESP32", "nrf52832", "其他"}
    assert documented == hex_blocks | others | chips
    inferred = {row.model for row in rows() if row.evidence == "inferred" and row.method == "nfwupd"}
    assert inferred == {"M5310", "NB08-01", "NH01A", "CFB-608-B8", "NBM20", "WNB301H"}


def test_what_can_only_be_watched_is_inferred() -> None:
    """The event numbers stand in the manual of later modules of the same vendor."""
    watched = {row.model: row.evidence for row in rows() if row.method == "watched"}
    models = {"M5311", "M5330", "M5330-GNSS", "S5601", "N256", "N700-CN", "M5330-A", "M5313", "A9600-R2"}
    assert watched == dict.fromkeys(models, "inferred")


@pytest.mark.parametrize("row", [r for r in rows() if r.method == "nfwupd"], ids=lambda row: row.model)
def test_the_dialect_of_a_hisilicon_row_fits_its_chip(row: Row) -> None:
    own = {
        "quectel-hi2115": "Hi2115", "quectel-hi2110": "Hi2110", "cmcc-hi2115": "Hi2115",
        "lierda-hi2115": "Hi2115", "ublox-sara-n2": "Hi2110",
        "hi2115": "Hi2115", "hi2110": "Hi2110", "hi21xx": "Hi21xx",
    }  # fmt: skip
    assert own[row.dialect] == row.chip


@pytest.mark.parametrize(("manufacturer", "model", "revision", "wanted"), ANSWERS)
def test_recognises_literal_answers(
    manufacturer: str | None, model: str | None, revision: str | None, wanted: str
) -> None:
    assert find(manufacturer, model, revision) == fota(wanted)


@pytest.mark.parametrize("row", [r for r in rows() if r.names], ids=lambda row: row.model)
def test_every_model_name_finds_its_own_row_and_no_other(row: Row) -> None:
    assert find(None, row.model, None) == row
    assert find(None, f"{row.model}\r\n", "1.0") == row


@pytest.mark.parametrize(
    "answer", [(a[1], a[2]) for a in ANSWERS] + [(r.model, None) for r in rows() if r.names]
)
def test_no_two_rows_claim_the_same_answer(answer: tuple[str | None, str | None]) -> None:
    claims = Counter(
        max(catalogue._longest(row.names, text) for text in answer) for row in rows() if row.names
    )
    assert claims[max(claims)] == 1


@pytest.mark.parametrize(
    ("manufacturer", "model", "revision"),
    [
        (None, None, None),
        ("Quectel", None, None),
        ("Quectel", "", ""),
        (None, "M5310-E", None),  # a later module, another chip
        (None, "M53100", None),
        ("CMCC", "GSM Ultimate Data Device", None),
        (None, "N210-02B-00", "RADIO,sara-N210-01B-00"),
        ("SIMCOM_Ltd", "SIM7020 R1752", None),
        ("SIMCOM", None, "Revision:1529B04SIM7000G"),
        (None, "L620C", None),
        (None, "NB100", None),
        (None, "SARA-N201", None),
        (None, "BC660K", "BC660KGLAAR01A05"),
        (None, "ESP32", None),  # SOTA: application firmware
        (None, "其他", None),
        (None, "XN20", "V_T1_3"),
    ],
)
def test_says_nothing_of_modules_that_are_not_in_the_table(
    manufacturer: str | None, model: str | None, revision: str | None
) -> None:
    assert find(manufacturer, model, revision) is None


@pytest.mark.parametrize(
    ("manufacturer", "model"),
    [("CMCC", "BC28"), ("Quectel", "M5310-A"), ("SIMCOM_Ltd", "BC26"), ("Acme", "N20")],
)
def test_a_vendor_that_contradicts_rules_a_row_out(manufacturer: str, model: str) -> None:
    assert find(manufacturer, model, None) is None


def test_a_vendor_that_nobody_knows_contradicts_only_names_too_short_to_trust() -> None:
    assert find("Neul", "BC95-G", None) == fota("BC95-G")
    assert find("Neoway", "N20", None) == fota("N20")
    assert find("Acme", "N100", None) is None


def test_answers_that_point_at_two_modules_equally_point_at_none() -> None:
    assert find("Quectel", "BC28 BC68", None) is None
    assert find("Quectel", "BC28", "BC68") == fota("BC28")


def test_codes_keep_their_zeros_and_name_one_row_each() -> None:
    assert fota("BC28").codes == Codes("014", "01401")
    assert fota("其他").codes == Codes("000", "00001")
    assert len({row.codes for row in rows()}) == 63


@pytest.mark.parametrize("text", ["BC28", "bc28", " Bc28 "])
def test_a_model_is_named_in_any_case(text: str) -> None:
    assert by_name(text) == fota("BC28")


def test_names_belong_to_their_table() -> None:
    assert by_name("ESP32") is None
    assert [row.codes for row in (by_name("esp32", "sota"),) if row] == [Codes("101", "10101")]
    assert by_name("other") == by_name("其他") == fota("其他")
    assert [row.codes for row in (by_name("OTHER", "sota"),) if row] == [Codes("100", "10001")]
    assert by_name("") is None


@pytest.mark.parametrize(
    ("typo", "first"), [("BC82", "BC28"), ("bc35g", "BC35-G"), ("M5310A", "M5310-A"), ("SIM7000", "SIM7000C")]
)
def test_suggests_the_model_that_a_typo_means(typo: str, first: str) -> None:
    assert first in suggestions(typo)


def test_suggests_nothing_for_nonsense() -> None:
    assert suggestions("zzzzzzzzzz") == []


def test_names_are_regular_expressions_that_match_something() -> None:
    for row in rows():
        for pattern in (*row.names, *row.vendor_names):
            assert re.compile(pattern).search("") is None


@pytest.mark.parametrize(
    "change",
    [
        {"names": ["("]}, {"source": ""}, {"manuf_code": "14"}, {"manuf_code": 14}, {"method": "none"},
        {"evidence": "certain"}, {"colour": "red"},
    ],
)  # fmt: skip
def test_a_row_that_is_wrong_does_not_load(change: dict[str, object]) -> None:
    good = msgspec.to_builtins(fota("BC28"))
    assert msgspec.convert(good, Row) == fota("BC28")
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(good | change, Row)


PIECES = st.sampled_from([row.model for row in rows()] + ["Quectel", "CMCC", "-A", "-N", "\r\n", "_", " "])
TEXTS = st.none() | st.text() | st.lists(PIECES, max_size=6).map("".join)


@given(TEXTS, TEXTS, TEXTS)
def test_find_gives_a_fota_row_or_none_for_any_answers(
    manufacturer: str | None, model: str | None, revision: str | None
) -> None:
    row = find(manufacturer, model, revision)
    assert row is None or (row.task_type == "fota" and bool(row.names))


@given(st.text())
def test_lookups_take_any_text(text: str) -> None:
    assert len(suggestions(text)) <= 3
    row = by_name(text)
    assert row is None or row.model.casefold() == text.strip().casefold() or row.model == "其他"
