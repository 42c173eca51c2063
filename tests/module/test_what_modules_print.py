"""Versions and voltages as real modules print them."""

from collections.abc import Callable
from typing import Any

import pytest

from atota.clock import SystemClock
from atota.dialects import loader
from atota.doctor.module import judge_identity, read_supply
from atota.errors import Refused
from atota.module.identify import Findings, identify
from atota.module.session import Session
from atota.ota.registry import Access, open_platform
from atota.settings.spec import JobSpec
from atota.update.package import task_query
from atota.values import version_problem, version_token

OK = b"\r\nOK\r\n"
ERROR = b"\r\nERROR\r\n"
LONG = "AirM2M_780E_V1138_LTE_AT"


def response(*lines: bytes) -> bytes:
    return b"".join(b"\r\n" + line + b"\r\n" for line in lines) + OK


def found(scripted: Callable[..., Any], answers: dict[bytes, bytes]) -> tuple[Session, Findings]:
    known = {b"AT": OK, b"AT+CMEE=1": OK, **answers}
    link = scripted(lambda line, _number: [(0.01, known.get(line, ERROR))])
    session = Session(link, loader.load("3gpp"))
    return session, identify(session)


@pytest.mark.parametrize(
    ("answers", "version", "revision"),
    [
        # A sample of a test library for Cinterion's EHS6, by CGMR and by ATI.
        ({b"AT+CGMR": (b"REVISION 03.006",)}, "03.006", "03.006"),
        ({b"ATI": (b"Cinterion", b"EHS6-A", b"REVISION 03.006")}, "03.006", "03.006"),
        ({b"AT+CGMR": (b"Revision:03.006",)}, "03.006", "03.006"),
        ({b"AT+CGMR": (b"Revision : 03.006",)}, "03.006", "03.006"),
        ({b"AT+CGMR": (b"+CGMR: EC200UCNAAR03A03M08",)}, "EC200UCNAAR03A03M08", "EC200UCNAAR03A03M08"),
        # A legal token before a build's stamp.
        (
            {b"AT+CGMR": (b"L0.0.00.00.05.06 [Feb 03 2018 13:00:41]",)},
            "L0.0.00.00.05.06",
            "L0.0.00.00.05.06 [Feb 03 2018 13:00:41]",
        ),
        ({b"AT+CGMR": (b"03.15 (2021-03-11 17:27)",)}, "03.15", "03.15 (2021-03-11 17:27)"),
        ({b"AT+CGMR": (b"V1.0.7, Build: 20210311",)}, "V1.0.7", "V1.0.7, Build: 20210311"),
        ({b"AT+CGMR": (b"Revision: A1.2 Sep 27 2021 09:53:17",)}, "A1.2", "A1.2 Sep 27 2021 09:53:17"),
        # Of 24 characters.
        (
            {b"AT+CGMR": (b"AirM2M_780E_V1138_LTE_AT",)},
            "AirM2M_780E_V1138_LTE_AT",
            "AirM2M_780E_V1138_LTE_AT",
        ),
        # Two tokens, and no stamp: neither is the version for sure.
        ({b"AT+CGMR": (b"SW 12 HW 3",)}, None, "SW 12 HW 3"),
    ],
)
def test_11_10_a_version_is_read_as_it_is_printed(
    scripted: Callable[..., Any], answers: dict[bytes, tuple[bytes, ...]], version: str | None, revision: str
) -> None:
    _, findings = found(scripted, {command: response(*lines) for command, lines in answers.items()})
    assert (findings.identity.version, findings.identity.revision) == (version, revision)


def test_11_10_a_version_that_is_too_long_for_the_platform_is_told_as_such(
    scripted: Callable[..., Any],
) -> None:
    words = "too long for the platform: 24 characters, it takes 20"
    assert version_problem(LONG) == words
    _, findings = found(scripted, {b"AT+CGMR": response(LONG.encode())})
    platform = open_platform(
        "generic",
        Access(server="http://127.0.0.1:1", clock=SystemClock(), access_key="c2VjcmV0", product_id="1"),
    )
    with pytest.raises(Refused) as caught:
        task_query(JobSpec(port="p", dev_id="1"), findings.identity, platform.capabilities)
    assert caught.value.message == f"the module's version {LONG!r} cannot be sent: {words}"
    identity, _method = judge_identity(findings)
    assert identity.state == "warning"
    assert words in identity.says


@pytest.mark.parametrize(
    ("text", "token"),
    [
        ("1752B06SIM7020C_181011_V2", "1752B06SIM7020C_181011_V2"),
        ("VERSION: EG18EAPAR01A12M4G", "EG18EAPAR01A12M4G"),
        ("mfw_nrf93m1_1.5.0", "mfw_nrf93m1_1.5.0"),
        ("20.00.404 12-May-2021", "20.00.404"),
        ("SWI9X30C_02.24.05.06 r7040 CARMD-EV-FRMWR2 2017/05/19 06:23:09", "SWI9X30C_02.24.05.06"),
        ("SWI9X06Y_02.32.02.00 c2e98c jenkins 2019/08/30 09:31:00", "SWI9X06Y_02.32.02.00"),
        ("V2.0 20210311T1727", "V2.0"),
        ("SW 12 HW 3 2021/03/11", None),
        ("APP RDY", None),
        ("SECURITY,V100R100C10B657SP5", None),
        ("Quectel", None),
        ("", None),
    ],
)
def test_11_10_the_token_of_a_version_text(text: str, token: str | None) -> None:
    assert version_token(text) == token


@pytest.mark.parametrize(
    ("line", "millivolts", "percent"),
    [
        (b"+CBC: 0,85,3985", 3985, 85),  # Quectel EC25&EC21 AT commands manual V1.3
        (b"+CBC: 0, 85, 3985", 3985, 85),
        (b"+CBC: 3.900V", 3900, None),  # SIMCom SIM7600
        (b"+CBC: 3.9V", 3900, None),
        (b"+CBC: 0,85,3.985V", 3985, 85),
        (b"+CBC: 3985", 3985, None),
        (b"+CBC: 12.05V", 12050, None),
        (b"+CBC: 0,0", None, None),
        (b"+CBC: 0,85", None, 85),
    ],
)
def test_11_11_the_supply_is_read_from_every_form_of_cbc(
    scripted: Callable[..., Any], line: bytes, millivolts: int | None, percent: int | None
) -> None:
    session, findings = found(scripted, {b"AT+CBC": response(line)})
    identity = findings.identity
    assert (identity.supply_mv, identity.battery_percent) == (millivolts, percent)
    readings = read_supply(session, identity).readings_mv
    assert readings == (() if millivolts is None else (millivolts,) * 3)
