"""SIMCom SIM7020C and SIM7030 (MT2625): AT+CFLE and AT+CFLW fill the FOTA partition, then AT+CFOTA=5."""

from dataclasses import replace

from atota.sim.boot import Boot, Step
from atota.sim.persona import Autobaud, Ipr, Persona, Restart, Setting
from atota.sim.personas import mt2625, standard
from atota.sim.reply import PLAIN
from atota.sim.ways.cflw import Cflw

_AUTOBAUD = (9600, 19200, 38400, 57600, 115200)
_RATES = (0, 2400, 4800, *_AUTOBAUD, 230400, 460800, 921600, 3000000)

SIM7020C = Persona(
    name="SIM7020C",
    aliases=("SIM7020",),
    vendor="SIMCom",
    chip="MT2625",
    version="1752B06SIM7020C",
    sources=(
        "SIM7020 Series AT Command Manual V1.05, chapter 19: CFLE, CFLW, CFLR, CFOTA; two fields of CBC",
        "SIM7020 application note for the China Telecom platform V1.04, chapter 6: the texts, no percent",
        "SIM7020 Hardware Design V1.02: 115200; the manual: hardware flow control, autobaud, 2048 characters",
        "sim7020 drivers in public code: *MATREADY, +CFUN, +CPIN; `No update package`",
        "inferred: a wrong MD5 is told by `Update fail`, without a reset; how the MD5 may be written",
        "inferred: erase and write times; the result line after the banner; which numbers errors have",
    ),
    answers={
        **standard.ANSWERS,
        b"ATI": (b"SIM7020 R1752",),
        b"AT+CGMI": (b"SIMCOM_Ltd",),
        b"AT+CGMM": (b"SIM7020C",),
        b"AT+CGMR": (b"{version}",),
        b"AT+GSV": (b"SIMCOM_Ltd", b"SIM7020C", b"Revision: {version}"),
        b"AT+CGSN": (b"{imei}",),
        b"AT+CGSN=1": (b"+CGSN: {imei}",),
        b"AT+CSQ": (b"+CSQ: {csq},0",),
        b"AT+CBC": (b"+CBC: 88,{supply}",),
    },
    settings={
        **standard.SETTINGS,
        b"CSCLK": Setting((b"0", b"1", b"2"), b"0", b"+CSCLK: {value}", b"+CSCLK: (0,1,2)"),
        b"IFC": Setting((b"0,0", b"2,2"), b"2,2", b"+IFC: {value}", b"+IFC: (0-2),(0-2)"),
        b"CM2MCLIFOTA": Setting((b"0", b"1"), b"0", None, None),
    },
    way=Cflw(),
    restarts={b"+CRESET": Restart(), b"+CFUN=1,1": Restart()},
    ipr=Ipr(_RATES, b"+IPR: (" + standard.listed(_RATES) + b")"),
    autobaud=Autobaud(_AUTOBAUD),
    boot=Boot(
        steps=(mt2625.ROM, Step(2.5, b"")),
        update=(mt2625.ROM, Step(200.0, b""), mt2625.ROM, Step(2.5, b"")),
        ending=mt2625.BANNER,
        late=(mt2625.CPIN,),
        late_good=(mt2625.CPIN, Step(2.0, b"\r\n+CFOTA: Update successfully\r\n")),
        late_bad=(mt2625.CPIN, Step(2.0, b"\r\n+CFOTA: Update fail\r\n")),
    ),
    baud=115200,
    supply_mv=3418,
    line_limit=2048,
    line_error=PLAIN,
    ate=True,
    echo=True,
    ignores_strays=True,
    unknown_code=PLAIN,
    refusal_code=23,
    busy_code=3,
    cme_texts=standard.CME_TEXTS,
    sleep=(b"CSCLK", (b"2",)),
    urcs=standard.URCS,
)

SIM7030 = replace(
    SIM7020C,
    name="SIM7030",
    aliases=(),
    version="1752B06SIM7030",
    sources=(
        "SIM7020 Series AT Command Manual V1.05: SIM7030 is in its scope; chapter 22: AT+CSCLK of 0 and 2",
        "inferred: the identification texts",
    ),
    answers={
        **SIM7020C.answers,
        b"ATI": (b"SIM7030 R1752",),
        b"AT+CGMM": (b"SIM7030",),
        b"AT+GSV": (b"SIMCOM_Ltd", b"SIM7030", b"Revision: {version}"),
    },
    settings={
        **SIM7020C.settings,
        b"CSCLK": Setting((b"0", b"2"), b"0", b"+CSCLK: {value}", b"+CSCLK: (0,2)"),
    },
)
