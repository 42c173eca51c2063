"""Quectel modules that fetch their package from a URL: BC66, BC660K-GL, EC200U, BG96, BG770A."""

from dataclasses import replace

from atota.sim.boot import Boot, Step, percent_steps
from atota.sim.persona import Ipr, Persona, Restart, Setting
from atota.sim.personas import standard
from atota.sim.personas.bc26 import BC26
from atota.sim.reply import PLAIN
from atota.sim.ways.url_pull import Codes, UrlPull

_RATES = (4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800)
_END = b'\r\n+QIND: "FOTA","END",%d\r\n'
_UPDATING = b'+QIND: "FOTA","UPDATING",%d'
_HTTP7 = Codes(download_failed=702, deactivated=709, activating=706, mismatched=507, invalid=505)

BC66 = replace(
    BC26,
    name="BC66",
    version="BC66NBR01A10",
    sources=(
        "public drivers and logs of the BC66: ATI in three lines, BC66NBR01A01 to A10, the boot ROM's text",
        "Quectel BC26 DFOTA User Guide V1.0: everything about AT+QFOTADL, from the sister with this chip",
        "inferred: the rest is as on the BC26",
    ),
    answers={
        **BC26.answers,
        b"ATI": (b"Quectel_Ltd\r\nQuectel_BC66\r\nRevision: {version}",),
        b"AT+CGMI": (b"Quectel_Ltd\r\nQuectel_BC66\r\nRevision: MTK_2625",),
        b"AT+CGMM": (b"Quectel_BC66",),
    },
)

BC660K = Persona(
    name="BC660K",
    aliases=("BC660K-GL",),
    vendor="Quectel",
    chip="QCX212",
    version="BC660KGLAAR01A05",
    sources=(
        "users' logs of the BC660K-GL on Quectel's forum, thread 15032: ATI, two minutes, HTTPEND 12",
        "the same: with a port that is open DOWNLOADING, HTTPEND 0, START, UPDATING, END 0",
        "inferred: as in the BC26 guide: 255 bytes, no https, the other numbers; RDY, the times",
    ),
    answers={
        **standard.ANSWERS,
        b"ATI": (b"Quectel_Ltd\r\nQuectel_BC660K-GL\r\nRevision: {version}",),
        b"AT+CGMI": (b"Quectel_Ltd\r\nQuectel_BC660K-GL\r\nRevision: QCX212",),
        b"AT+CGMM": (b"Quectel_BC660K-GL",),
        b"AT+CGMR": (b"Revision: {version}",),
        b"AT+CGSN": (b"{serial}",),
        b"AT+CGSN=0": (b"{serial}",),
        b"AT+CGSN=1": (b"+CGSN: {imei}",),
        b"AT+CSQ": (b"+CSQ: {csq},0",),
        b"AT+CBC": (b"+CBC: 0,0,{supply}",),
    },
    settings={
        **standard.SETTINGS,
        b"QSCLK": Setting((b"0", b"1", b"2"), b"0", b"+QSCLK: {value}", b"+QSCLK: (0,1,2)"),
    },
    way=UrlPull(sloppy=False),
    restarts={b"+QRST=1": Restart(), b"+CFUN=1,1": Restart()},
    ipr=Ipr(_RATES, b"+IPR: (" + standard.listed(_RATES) + b")"),
    boot=Boot(
        steps=(Step(2.5, b""),),
        update=(Step(1.5, b'\r\n+QIND: "FOTA","START"\r\n'), *percent_steps(_UPDATING, 75.0, 5)),
        good=(Step(1.0, _END % 0), Step(2.5, b"")),
        bad=(Step(1.0, _END % 1), Step(2.5, b"")),
        ending=b"\r\nRDY\r\n\r\n+CFUN: 1\r\n",
        late=(Step(1.0, b"\r\n+CPIN: READY\r\n"),),
    ),
    baud=115200,
    serial="F9A0C1D2E3B4A5968778695A4B3C2D1E",
    supply_mv=3368,
    line_limit=1024,
    line_error=PLAIN,
    ate=True,
    echo=True,
    ignores_strays=True,
    unknown_code=PLAIN,
    busy_code=PLAIN,
    refusal_code=PLAIN,
    cme_texts=standard.CME_TEXTS,
    urcs=(b"+CEREG: 1", b"+CPIN: READY", b'+QIND: "csq",22'),
)

EC200U = replace(
    BC660K,
    name="EC200U",
    aliases=("EC200U-CN",),
    chip="UIS8910",
    version="EC200UCNAAR03A03M08",
    sources=(
        "public steps of an EC200U-CN: QFOTADL with 1,50,100 behind the URL, DOWNLOADING by 2, HTTPEND 0",
        "Quectel's forum, thread 25935: HTTPEND 608 at once, where no storage is named",
        "Quectel LTE Standard(A) DFOTA upgrade guide V1.5, of a sister series: the numbers 7xx and 50x",
        "inferred: ATI as printed in public drivers; START to END, RDY, the times",
    ),
    answers={
        **BC660K.answers,
        b"ATI": (b"Quectel\r\nEC200U\r\nRevision: {version}",),
        b"AT+CGMI": (b"Quectel",),
        b"AT+CGMM": (b"EC200U",),
        b"AT+CGMR": (b"{version}",),
        b"AT+QGMR": (b"{version}",),
        b"AT+CGSN": (b"{imei}",),
        b"AT+CSQ": (b"+CSQ: {csq},99",),
        b"AT+CBC": (b"+CBC: 0,71,{supply}",),
    },
    way=UrlPull(
        codes=_HTTP7,
        capacity=4 * 1024 * 1024,
        rate=50_000,
        each=2,
        secure=True,
        parameters=True,
        sloppy=False,
    ),
    boot=replace(
        BC660K.boot,
        update=(Step(8.0, b'\r\n+QIND: "FOTA","START"\r\n'), *percent_steps(_UPDATING, 150.0, 5)),
        bad=(Step(1.0, _END % 504), Step(2.5, b"")),
    ),
    supply_mv=3880,
)

_RESTORE = (
    *percent_steps(b'+QIND: "FOTA","RESTORE",%d%%', 60.0, 5)[1:],
    Step(1.0, _END % 0),
    Step(5.0, b""),
)

BG96 = replace(
    EC200U,
    name="BG96",
    chip="MDM9206",
    version="BG96MAR02A07M1G",
    version_rest=b"01.007.01.007",
    sources=(
        "Quectel BG96 DFOTA user guide V1.0, 3.1: no DOWNLOADING, UPDATING and RESTORE with a percent sign",
        "Quectel's forum, thread 7377: QGMR with _01.007.01.007, HTTPEND 702 after six minutes",
        "public drivers of the BG96: RDY, APP RDY, +CPIN: READY",
        "inferred: ATI in three lines, the times; 505 and 507 from sister series",
    ),
    answers={
        **EC200U.answers,
        b"ATI": (b"Quectel\r\nBG96\r\nRevision: {short}",),
        b"AT+CGMM": (b"BG96",),
        b"AT+CGMR": (b"{short}",),
        b"AT+QGMR": (b"{short}_{rest}",),
    },
    way=UrlPull(
        codes=_HTTP7,
        capacity=4 * 1024 * 1024,
        rate=20_000,
        silence_s=360.0,
        secure=True,
        downloading=False,
        sloppy=False,
    ),
    boot=Boot(
        steps=(Step(5.0, b""),),
        update=(
            Step(8.0, b'\r\n+QIND: "FOTA","START"\r\n'),
            *percent_steps(b'+QIND: "FOTA","UPDATING",%d%%', 90.0, 5)[1:],
        ),
        good=_RESTORE,
        resumed=(
            Step(2.0, b'\r\n+QIND: "FOTA","Last upgrade was not finished,continue upgrade"\r\n'),
            *_RESTORE,
        ),
        bad=(Step(1.0, _END % 504), Step(5.0, b"")),
        ending=b"\r\nRDY\r\n",
        late=(Step(2.0, b"\r\nAPP RDY\r\n"), Step(1.0, b"\r\n+CPIN: READY\r\n")),
    ),
)

BG770A = replace(
    BG96,
    name="BG770A",
    aliases=("BG770A-GL",),
    chip="ALT1250",
    version="BG770AGLAAR01A05",
    version_rest=b"JP_01.200.01.200",
    sources=(
        "a public recording of a BG770A-GL (BG770AGLAAR01A05): CGMI, CGMM, CGMR, the bare OK of QFOTADL=?",
        "the same: 115200 baud, echo on, RDY, +CPIN: READY, +QUSIM: 1, +QIND: SMS DONE",
        "inferred: everything about the update, from the other members of the family",
    ),
    answers={
        **BG96.answers,
        b"ATI": (b"Quectel\r\nBG770A-GL\r\nRevision: {short}",),
        b"AT+CGMM": (b"BG770A-GL",),
        b"AT+CGMR": (b"{short}",),
        b"AT+QGMR": (b"{short}_{rest}",),
    },
    boot=replace(
        BG96.boot,
        update=(Step(8.0, b'\r\n+QIND: "FOTA","START"\r\n'), *percent_steps(_UPDATING, 120.0, 5)),
        good=(Step(1.0, _END % 0), Step(5.0, b"")),
        late=(
            Step(1.0, b"\r\n+CPIN: READY\r\n"),
            Step(0.2, b"\r\n+QUSIM: 1\r\n"),
            Step(1.8, b"\r\n+QIND: SMS DONE\r\n"),
        ),
    ),
)
