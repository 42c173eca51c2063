"""SIMCom SIM7000C and its relatives (MDM9206): ``update.zip`` in the file system, then AT+CFOTA=1."""

from dataclasses import replace

from atota.sim.boot import Boot, Step, percent_steps
from atota.sim.persona import Autobaud, Ipr, Persona, Restart, Setting
from atota.sim.personas import standard
from atota.sim.reply import PLAIN
from atota.sim.ways.cfs import Cfs

_AUTOBAUD = (9600, 19200, 38400, 57600, 115200)  # UART Application Note V1.01: the rates that autobaud knows
_RATES = (
    0,
    300,
    600,
    1200,
    2400,
    4800,
    *_AUTOBAUD,
    230400,
    921600,
    2000000,
    2900000,
    3000000,
    3200000,
    4000000,
)

SIM7000C = Persona(
    name="SIM7000C",
    vendor="SIMCom",
    chip="MDM9206",
    version="1529B04SIM7000C",
    sources=(
        "SIM7000 Series FS Application Note V1.01, AT Command Manual V1.06 section 15.2: the file commands",
        "SIM7000 Series FOTA Application Note V1.01: update.zip, the texts, several minutes, AT+CFOTA?",
        "SIM7000 Series UART Application Note V1.01: autobaud, RDY only at a fixed rate, no flow control",
        "sketches in public code: AT+CFSINIT is an ERROR the second time, +CME ERROR: 3 for late bytes",
        "SIM7000 drivers in public code: AT+CFSRFILE's answer, its length on a line, then the bytes",
        "AT Command Manual V1.06: mode 0 writes at the beginning; inferred: a longer old file keeps its end",
        "inferred: CGMI, CGMM; which errors have which number; AT+CFOTA? of 8 at first",
        "inferred: the text of the update comes at the default rate as long as the rate is not fixed",
    ),
    answers={
        **standard.ANSWERS,
        b"ATI": (b"SIM7000C R1529",),
        b"AT+CGMI": (b"SIMCOM_Ltd",),
        b"AT+GMI": (b"SIMCOM_Ltd",),
        b"AT+CGMM": (b"SIMCOM_SIM7000C",),
        b"AT+GMM": (b"SIMCOM_SIM7000C",),
        b"AT+CGMR": (b"Revision:{version}",),
        b"AT+GMR": (b"Revision:{version}",),
        b"AT+CGSN": (b"{imei}",),
        b"AT+GSN": (b"{imei}",),
        b"AT+CSQ": (b"+CSQ: {csq},99",),
        b"AT+CBC": (b"+CBC: 0,80,{supply}",),
    },
    settings={
        **standard.SETTINGS,
        b"CSCLK": Setting((b"0", b"1"), b"0", b"+CSCLK: {value}", b"+CSCLK: (0,1)"),
        b"IFC": Setting((b"0,0", b"2,2"), b"0,0", b"+IFC: {value}", b"+IFC: (0-2),(0-2)"),
    },
    way=Cfs(),
    restarts={b"+CFUN=1,1": Restart()},
    ipr=Ipr(_RATES, b"+IPR: (),(" + standard.listed(_RATES) + b")"),
    autobaud=Autobaud(_AUTOBAUD, silent=True),
    boot=Boot(
        steps=(Step(4.5, b""),),
        update=(Step(3.0, b'\r\n+CFOTA: "Start to update"\r\n'), Step(2.0, b'\r\n+CFOTA: "Updating",0\r\n')),
        good=(
            *percent_steps(b'+CFOTA: "Updating",%d', 180.0, 5)[1:],
            Step(2.0, b'\r\n+CFOTA: "Update successfully, please wait for reset"\r\n'),
            Step(12.0, b""),
        ),
        bad=(
            Step(20.0, b'\r\n+CFOTA: "Updating",5\r\n'),
            Step(2.0, b'\r\n+CFOTA: "Update failed, please wait for reset"\r\n'),
            Step(12.0, b""),
        ),
        ending=b"\r\nRDY\r\n\r\n+CFUN: 1\r\n",
        late=(Step(1.5, b"\r\n+CPIN: READY\r\n"), Step(2.5, b"\r\nSMS Ready\r\n")),
    ),
    baud=115200,
    supply_mv=3921,
    line_limit=1024,
    line_error=PLAIN,
    ate=True,
    echo=True,
    ignores_strays=True,
    unknown_code=PLAIN,
    value_code=PLAIN,
    refusal_code=3,
    busy_code=3,
    cme_texts=standard.CME_TEXTS,
    urcs=standard.URCS,
)

SIM7000C_N = replace(
    SIM7000C,
    name="SIM7000C-N",
    version="1529B04SIM7000C-N",
    sources=(
        "SIM7000 Series AT Command Manual V1.06: SIM7000C-N is in its scope: all as on the SIM7000C",
        "inferred: how the name stands in ATI, CGMM and the version",
    ),
    answers={
        **SIM7000C.answers,
        b"ATI": (b"SIM7000C-N R1529",),
        b"AT+CGMM": (b"SIMCOM_SIM7000C-N",),
        b"AT+GMM": (b"SIMCOM_SIM7000C-N",),
    },
)

SIM7070 = replace(
    SIM7000C,
    name="SIM7070",
    aliases=("SIM7080", "SIM7090"),
    chip="MDM9205",
    version="1951B08SIM7070",
    sources=(
        "SIM7070_SIM7080_SIM7090 Series FOTA Application Note V1.02: the same commands word for word",
        "inferred: all else as on the SIM7000; the identification texts",
    ),
    answers={
        **SIM7000C.answers,
        b"ATI": (b"SIM7070 R1951",),
        b"AT+CGMM": (b"SIMCOM_SIM7070",),
        b"AT+GMM": (b"SIMCOM_SIM7070",),
    },
)
