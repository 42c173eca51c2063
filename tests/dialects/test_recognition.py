"""A module is known by its whole name, up to where the list of a pattern's source ends."""

import re

import pytest

from atota.dialects import catalogue, loader
from atota.module.identify import recognise
from atota.sim.personas.catalogue import PERSONAS
from atota.testing.rehearse import _identity

# The model as CGMM and ATI print it, and the revision: literal, from public logs and drivers.
KNOWN = [
    ("EC200A", "EC200ACNHAR01A02M16", "quectel-cat1", "pushed-stream"),
    ("EC200A-CN", "EC200ACNHAR01A02M16", "quectel-cat1", "pushed-stream"),
    ("EC200N", "EC200NCNLAR03A01M16", "quectel-cat1", "pushed-stream"),
    ("EC200N-CN", "EC200NCNLAR03A01M16", "quectel-cat1", "pushed-stream"),
    ("EC200M", "EC200MCNLAR01A01M16", "quectel-cat1", "pushed-stream"),
    ("EC800M", "EC800MCNLAR06A03M08", "quectel-cat1", "pushed-stream"),
    ("EG912N", "EG912NENAAR01A01M16", "quectel-cat1", "pushed-stream"),
    ("EG912N-EN", "EG912NENAAR01A01M16", "quectel-cat1", "pushed-stream"),
    ("EG915N", "EG915NEUAGR01A01M16", "quectel-cat1", "pushed-stream"),
    ("EG915N-EU", "EG915NEUAGR01A01M16", "quectel-cat1", "pushed-stream"),
    ("EG950A", "EG950AENAAR01A01M16", "quectel-cat1", "pushed-stream"),
    ("EG800K", "EG800KCNLCR07A03M02", "quectel-cat1", "pushed-stream"),
    ("EG25", "EG25GGBR07A08M2G", "quectel-dfota", "ack-upload"),
    ("EG25-G", "EG25GGBR07A08M2G", "quectel-dfota", "ack-upload"),
    ("EG21", "EG21GGBR07A11M1G", "quectel-dfota", "ack-upload"),
    ("EG21-G", "EG21GGBR07A11M1G", "quectel-dfota", "ack-upload"),
    ("EC21", "EC21EFAR06A04M4G", "quectel-dfota", "ack-upload"),
    ("EC25", "EC25EFAR06A01M4G", "quectel-dfota", "ack-upload"),
    ("EC20F", "EC20CEFAGR06A16M4G", "quectel-dfota", "ack-upload"),
    ("EG91", "EG91NAXGAR07A03M1G", "quectel-dfota", "ack-upload"),
    ("EG95", "EG95EXGAR08A02M1G", "quectel-dfota", "ack-upload"),
    ("BG95-M3", "BG95M3LAR02A03", "quectel-dfota", "ack-upload"),
    ("EG18", "EG18EAPAR01A12M4G", "quectel-lte-a", "ack-upload"),
    ("EG18-EA", "EG18EAPAR01A14M4G", "quectel-lte-a", "ack-upload"),
    ("BG96", "BG96MAR02A07M1G", "quectel-bg96", "url-pull"),
    ("Quectel_BC66", "BC66NBR01A06", "quectel-bc66", "url-pull"),
    ("Quectel_BC66NA", "BC66NBR01A01", "quectel-bc66", "url-pull"),
    ("Quectel_BC20", "BC20C01", "quectel-bc66", "url-pull"),
    ("Quectel_BC26", "BC26NBR01A01", "quectel-bc26", "url-pull"),
    ("Quectel_BC660K-GL", "BC660KGLAAR01A04", "quectel-url", "url-pull"),
    ("BC95-GR", "BC95GRNAR01A01", "quectel-url", "url-pull"),
    ("BC65", "BC65CNAR01A01", "quectel-url", "url-pull"),
    ("BC92", "BC92RBR01A01", "quectel-url", "url-pull"),
    ("EC200U", "EC200UCNAAR03A03M08", "quectel-ec200u", "url-pull"),
    ("EC200U-CN", "EC200UCNAAR03A03M08", "quectel-ec200u", "url-pull"),
    ("BG770A-GL", "BG770AGLAAR01A05", "quectel-bg770a", "url-pull"),
    ("nRF93M1-LABA-A0A (R3)", "mfw_nrf93m1_1.4.1", "nordic-nrf93m1", "nfwupd"),
    ("SARA-R510S", "03.15", "ublox-sara-r5", "xmodem"),
    ("SARA-R510M8S-01B-00", "03.15", "ublox-sara-r5", "xmodem"),
    ("SARA-R410M-02B", "L0.0.00.00.05.06", "ublox-sara-r4", "xmodem"),
    ("LARA-R6001D", "00.13", "ublox-lara-r6", "xmodem"),
    ("LENA-R8001M10-00C-00", "02.00", "ublox-lara-r6", "xmodem"),
    ("SIMCOM_SIM7000G", "1529B10SIM7000G", "simcom-sim7000", "file-append"),
    ("SIMCOM_SIM7080G", "1951B17SIM7080", "simcom-sim7000", "file-append"),
    ("SIM7020E", "1752B06SIM7020E", "simcom-sim7020", "flash-write"),
]
VENDORS = {
    "SARA": "u-blox",
    "LARA": "u-blox",
    "LENA": "u-blox",
    "SIM": "SIMCOM_Ltd",
    "nRF": "Nordic Semiconductor ASA",
}

SISTERS = [
    # Quectel: other chips, or no longer in the list of the guide.
    *("BC260Y-CN", "BC25", "BC26-X", "BC660K", "BC950K-GL", "BC66X", "BC2X"),
    *("EC200S", "EC200T", "EC200D", "EC200G", "EC600S", "EC800N", "EC800G", "EC800E", "EC800Z", "EC600U"),
    *("EG912Y", "EG912U", "EG915U", "EG916Q", "EG800Q", "EG800W", "EG800G", "EC200M-EU", "EC800M-EU"),
    *("EG06", "EP06", "EG060K-EA", "EG120K", "EG18-EAX", "RM500Q-GL", "EC20", "EG25-GL", "EG25X", "EC250"),
    *("BG96X", "BG96-NB", "BG951A-GL", "BG953A", "BG773A-GL", "BG600L-M3", "BG952"),
    # China Mobile, SIMCom, u-blox and the chips under their own names.
    *("M5311-E", "M5311E", "M5310-E", "M5310-AE", "M5330-STD", "M5312-B", "M5313-X", "M53110", "M5330-A2"),
    *("SIM7022", "SIM7028", "SIM7070G-HP", "SIM7000X", "SIM7600E-H", "SIM7020X", "SIM7080X"),
    *("SARA-R422", "SARA-R422M8S", "SARA-R520", "SARA-R540S", "LARA-R211", "LARA-L6804D", "LENA-R8"),
    *("EC617", "EC618", "EC716", "ME3616X", "ME3616-B", "ENS22", "EHS6-A", "nRF93M2", "A9600X"),
]  # fmt: skip


def vendor_of(model: str) -> str:
    return next((name for start, name in VENDORS.items() if model.startswith(start)), "Quectel")


@pytest.mark.parametrize(("model", "revision", "dialect", "method"), KNOWN, ids=lambda value: str(value))
def test_11_9_a_module_of_a_list_is_known_by_its_whole_name(
    model: str, revision: str, dialect: str, method: str
) -> None:
    vendor = vendor_of(model)
    found = recognise(vendor, f"{model}\n{vendor}\n{model}\nRevision: {revision}", revision)
    assert found is not None
    assert found.method is not None
    assert (found.name, found.method.kind) == (dialect, method)


@pytest.mark.parametrize("model", SISTERS)
@pytest.mark.parametrize("vendor", ["Quectel", "SIMCOM_Ltd", "u-blox", "CMCC"])
def test_11_9_a_sister_module_is_not_taken_for_one_of_the_list(vendor: str, model: str) -> None:
    assert recognise(vendor, f"{model}\n{vendor}\n{model}\nRevision: X1.0", "X1.0") is None


@pytest.mark.parametrize("name", [persona.name for persona in PERSONAS])
@pytest.mark.parametrize("suffix", ["X9", "0", "_X", "Y-CN", "-X1Q"])
def test_11_9_no_pattern_takes_a_name_with_a_suffix(name: str, suffix: str) -> None:
    manufacturer, model, _ = _identity(name)
    found = recognise(manufacturer, model, "1.0")
    pattern = found.recognise.model if found is not None and found.recognise is not None else None
    if pattern is not None:  # others are known by their chip's answer alone, or not at all
        name = min((match[0] for match in re.finditer(pattern, model)), key=len)
        assert recognise(manufacturer, model.replace(name, name + suffix), "1.0") is None


@pytest.mark.parametrize(
    ("manufacturer", "model"),
    [
        ("CMCC", "M5311-E"), ("CMCC", "M5310-E"), ("CMCC", "M5312-X"), ("CMCC", "M5313_B"),
        ("Quectel", "BC260Y-CN"), ("Quectel", "BC28-CNV"), ("Quectel", "BC95-GR"), ("Quectel", "BC35-GR"),
        ("Quectel", "BC68-X"), ("SIMCOM_Ltd", "SIM7020C-X"), ("SIMCOM_Ltd", "SIM7000C-X"),
        ("GOSUNCN", "ME3616-X"), (None, "WH-NB73-BA"), (None, "TPB41-X"), (None, "N700-CN-20"),
    ],
)  # fmt: skip
def test_11_9_no_row_is_matched_by_the_beginning_of_a_name(manufacturer: str | None, model: str) -> None:
    assert catalogue.find(manufacturer, model, None) is None


def test_11_9_the_model_rules_a_row_out_that_only_the_revision_names() -> None:
    assert catalogue.find("CMCC", "M5311-E", "M5311") is None
    row = catalogue.find("CMCC", None, "M5311")
    assert row is not None
    assert row.model == "M5311"


def test_11_9_a_pattern_for_a_whole_chip_needs_the_chips_own_answer() -> None:
    for name in ("hi2110", "hi2115", "hi21xx", "quectel-hi2110", "quectel-hi2115", "ublox-sara-n2"):
        rule = loader.load(name).recognise
        assert rule is not None
        assert rule.version is not None
        assert "V1" in rule.version
