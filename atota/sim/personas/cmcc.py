"""Modules whose firmware only the platform changes, on MT2625 (M5311...), RDA8908A and RDA8909B."""

from collections.abc import Mapping

from atota.sim.boot import Boot, Step
from atota.sim.persona import Autobaud, Ipr, Persona, Restart, Setting
from atota.sim.personas import standard
from atota.sim.reply import PLAIN
from atota.sim.updater import Way
from atota.sim.ways.no_update import NoUpdate
from atota.sim.ways.platform import PlatformDriven

_AUTOBAUD = (4800, 9600, 19200, 38400, 57600, 115200)
_RATES = (0, 2400, *_AUTOBAUD, 230400, 460800, 921600)
_RDA_RATES = (0, 1200, 2400, 4800, 9600, 14400, 19200, 28800, 38400, 57600)
_BANNER = b"\r\n*ATREADY: 1\r\n\r\n+CFUN: 1\r\n"
_REBOOTING = b"\r\nREBOOTING..\r\n"

_LIST = "OneNET's list of modules and chips: the chip"
_EVENTS = (
    "China Mobile IoT LwM2M AT manual: events 2, 6, 7, 11, 15, 40 to 47, +CIS ERROR numbers, the FOTA example"
)
_INFERRED = "inferred: that this module reports the events which that manual has for later ones; all times"


def _mt2625(
    name: str,
    vendor: str,
    version: str,
    lines: bytes,
    sources: tuple[str, ...],
    aliases: tuple[str, ...] = (),
) -> Persona:
    """Make a module on MediaTek's base software with China Mobile's banner; ``lines`` answer ATI."""
    return Persona(
        name=name,
        aliases=aliases,
        vendor=vendor,
        chip="MT2625",
        version=version,
        sources=(*sources, _EVENTS, _LIST, _INFERRED),
        answers={
            **standard.ANSWERS,
            b"ATI": (lines,),
            b"AT+CGMI": (lines.split(b"\r\n")[0],),
            b"AT+CGMM": (name.encode(),),
            b"AT+CGMR": (b"{version}",),
            b"AT+CGSN": (b"{serial}",),
            b"AT+CGSN=1": (b"+CGSN: {imei}",),
            b"AT+CSQ": (b"+CSQ: {csq},99",),
            b"AT+CMADC=1": (b"+CMADC: {supply}",),
        },
        settings={
            **standard.SETTINGS,
            b"SM": Setting((b"LOCK", b"UNLOCK", b"LOCK_FOREVER", b"UNLOCK_FOREVER"), b"UNLOCK", None, None),
        },
        way=PlatformDriven(name),
        restarts={b"+CMRB": Restart(tail=_REBOOTING)},
        ipr=Ipr(_RATES, b"+IPR: (" + standard.listed(_RATES) + b")"),
        autobaud=Autobaud(_AUTOBAUD),
        boot=Boot(
            steps=(Step(3.0, b""),),
            update=(Step(0.5, _REBOOTING), Step(90.0, b"")),
            ending=_BANNER,
            late=(Step(1.5, b"\r\n+CPIN: READY\r\n"),),
            late_good=(Step(1.5, b"\r\n+CPIN: READY\r\n"), Step(1.0, b"\r\n+MIPLEVENT:0,44\r\n")),
            late_bad=(Step(1.5, b"\r\n+CPIN: READY\r\n"), Step(1.0, b"\r\n+MIPLEVENT:0,45\r\n")),
        ),
        baud=115200,
        serial="M2625A1234567890z",
        line_limit=1024,
        line_error=PLAIN,
        ate=True,
        echo=True,
        ignores_strays=True,
        unknown_code=PLAIN,
        refusal_code=PLAIN,
        busy_code=PLAIN,
        cme_texts=standard.CME_TEXTS,
        urcs=(b"+CEREG: 1", b"+CPIN: READY", b"+MIPLEVENT:0,11"),
    )


_M5311_SOURCES = (
    "China Mobile M5311 AT Command Interface Specification v2.4: ATI, AT+CGSN, AT+CMRB, AT+MIPLCREATE",
    "the same, all 202 pages: no command about firmware; AT+CMADC, no AT+CBC; events without a blank",
    "M5311 drivers and logs in public code: 115200, +MIPLCREATE:0, events 1, 2, 4, 6 of a login",
    "inferred: the texts of the versions, of AT+CMADC; echo on",
)
_SISTER = ("inferred: everything but the chip as on the M5311; no manual was found",)
_M5311 = b"CMCC\r\nM5311\r\n{version}\r\nM5311_HW_V1.0"

M5311 = _mt2625("M5311", "China Mobile", "M5311-PLBH0S01", _M5311, _M5311_SOURCES)
M5330 = _mt2625("M5330", "China Mobile", "M5330-PLBH0S01", b"CMCC\r\nM5330\r\n{version}", _SISTER)
M5330_GNSS = _mt2625(
    "M5330-GNSS", "China Mobile", "M5330G-PLBH0S01", b"CMCC\r\nM5330-GNSS\r\n{version}", _SISTER
)
S5601 = _mt2625("S5601", "China Mobile", "S5601-PLBH0S01", b"CMCC\r\nS5601\r\n{version}", _SISTER)
N256 = _mt2625("N256", "Lingling", "N256_V1.0.2", b"LINGLING\r\nN256\r\n{version}", _SISTER)
N700_CN = _mt2625(
    "N700-CN", "Fibocom", "N700-CN_V1.0.6", b"Fibocom\r\nN700-CN\r\n{version}", _SISTER, aliases=("N700",)
)


def _rda(
    name: str,
    chip: str,
    version: str,
    answers: Mapping[bytes, tuple[bytes, ...]],
    way: Way,
    sources: tuple[str, ...],
    vendor: str = "China Mobile",
) -> Persona:
    """Make a module on RDA's SDK: it answers some of HiSilicon's words, but none about firmware."""
    return Persona(
        name=name,
        vendor=vendor,
        chip=chip,
        version=version,
        sources=(*sources, _LIST),
        answers={
            **standard.ANSWERS,
            b"AT+CGMR": (b"{version}",),
            b"AT+CGSN": (b"{imei}",),
            b"AT+CGSN=1": (b"+CGSN: {imei}",),
            b"AT+CSQ": (b"+CSQ: {csq},99",),
            **answers,
        },
        settings=standard.SETTINGS,
        way=way,
        restarts={b"+TRB": Restart((b"REBOOTING",), bare=True), b"+NRB": Restart((b"REBOOTING",), bare=True)},
        ipr=Ipr(_RDA_RATES, b"+IPR: (" + standard.listed(_RDA_RATES) + b")"),
        autobaud=Autobaud(tuple(rate for rate in _RDA_RATES if rate >= 2400)),
        boot=Boot(
            steps=(Step(4.0, b""),),
            update=(Step(90.0, b""),),
            ending=b"\r\n+CFUN: 1\r\n",
            late_good=(Step(2.0, b"\r\n+MIPLEVENT:0,44\r\n"),),
            late_bad=(Step(2.0, b"\r\n+MIPLEVENT:0,45\r\n"),),
        ),
        baud=57600,
        line_limit=1024,
        line_error=PLAIN,
        ate=True,
        echo=True,
        ignores_strays=True,
        unknown_code=PLAIN,
        refusal_code=PLAIN,
        busy_code=PLAIN,
        cme_texts=standard.CME_TEXTS,
        urcs=(b"+CEREG: 1", b"+CPIN: READY", b"+CSCON: 0"),
    )


_TUESTATS = {
    b'AT+TUESTATS="ALL"': (b'+TUESTATS:"RADIO",-842,-765,0,98', b'+TUESTATS:"CELL",3734,251,1,-842,-108,98'),
    b'AT+TUESTATS="CELL"': (b'+TUESTATS:"CELL",3734,251,1,-842,-108,98',),
    b'AT+TUESTATS="RADIO"': (b'+TUESTATS:"RADIO",-842,-765,0,98',),
    b"AT+NVSETBAND?": (b"+NVSETBAND:8",),
    # RDA's firmware knows these words of HiSilicon's too: they prove nothing.
    b"AT+NCDP?": (b"+NCDP:0.0.0.0,5683",),
    b"AT+NSMI?": (b"+NSMI:0",),
    b"AT+NNMI?": (b"+NNMI:0",),
}
_RDA_LOGIN = ((2.0, 4), (4.0, 6))
_RDA_TOOL = "Sunray's PC tool for its RDA8908A module: 57600, AT+TUESTATS, HiSilicon's words that it answers"

A9600_R2 = _rda(
    "A9600-R2",
    "RDA8908A",
    "A9600R2_V1.2.03",
    {
        **_TUESTATS,
        b"ATI": (b"LONGSUNG\r\nA9600\r\nKR9608",),
        b"AT+CGMI": (b"LONGSUNG",),
        b"AT+CGMM": (b"A9600-R2",),
        b"AT+LSVER": (b"{version}",),
    },
    PlatformDriven("A9600-R2", creates=(b"CREATEEX",), events=_RDA_LOGIN),
    (
        "a meter's firmware in public code: LONGSUNG, A9600 in AT+CGMM, AT+TUESTATS, AT+MIPLCREATEEX",
        _RDA_TOOL,
        _EVENTS,
        "inferred: all other texts, the version, the answer of AT+TUESTATS, how an update looks; all times",
    ),
    vendor="Longsung",
)

M5312 = _rda(
    "M5312",
    "RDA8908A",
    "M5312-PBRH0S00",
    {
        **_TUESTATS,
        b"ATI": (b"CMCC\r\nM5312\r\n{version}",),
        b"AT+CGMI": (b"CMCC",),
        b"AT+CGMM": (b"GSM Ultimate Data Device",),
    },
    NoUpdate(),
    (
        "China Mobile M5312 AT Command Interface Specification V1.2: ATI, AT+CGMM, AT+CGMR of one line",
        "the same, its history: the OneNET commands were removed in V1.2; no command about firmware in it",
        _RDA_TOOL,
        "inferred: the answer of AT+TUESTATS; the boot text; echo on",
    ),
)

M5330_A = _rda(
    "M5330-A",
    "RDA8908A",
    "M5330-A-PBRH0S00",
    {
        **_TUESTATS,
        b"ATI": (b"CMCC\r\nM5330-A\r\n{version}",),
        b"AT+CGMI": (b"CMCC",),
        b"AT+CGMM": (b"M5330-A",),
    },
    PlatformDriven("M5330-A", events=_RDA_LOGIN),
    (_RDA_TOOL, _EVENTS, "inferred: everything but the chip; no manual of the M5330-A was found"),
)

M5313 = _rda(
    "M5313",
    "RDA8909B",
    "M5313-PBRH0S00",
    {
        b"ATI": (b"CMCC\r\nM5313\r\n{version}",),
        b"AT+CGMI": (b"CMCC",),
        b"AT+CGMM": (b"M5313",),
    },
    PlatformDriven("M5313", events=_RDA_LOGIN),
    (
        "China Mobile M5313 AT Command Interface Specification V1.1: ATI, +IPR up to 57600, events 4 and 6",
        "the same: no AT+TUESTATS, no AT+NUESTATS, no command about firmware",
        _EVENTS,
        "inferred: the text of the version, how an update looks; all times",
    ),
)

PLATFORM_DRIVEN = (M5311, M5330, M5330_GNSS, S5601, N256, N700_CN, A9600_R2, M5312, M5313, M5330_A)
