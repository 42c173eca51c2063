"""Quectel BC26 (MT2625): it fetches its package from a URL; nothing can be pushed over the port."""

from atota.sim.boot import Boot, Step, percent_steps
from atota.sim.persona import Autobaud, Ipr, Persona, Restart, Setting
from atota.sim.personas import mt2625, standard
from atota.sim.reply import PLAIN
from atota.sim.ways.url_pull import UrlPull

_AUTOBAUD = (4800, 9600, 19200, 38400, 57600, 115200)
_RATES = (0, 2400, *_AUTOBAUD, 230400, 460800, 921600)

BC26 = Persona(
    name="BC26",
    vendor="Quectel",
    chip="MT2625",
    version="BC26NBR01A01",
    sources=(
        "Quectel BC26 DFOTA User Guide V1.0: AT+QFOTADL, 255 bytes, no HTTPS, 300 ms, +QIND lines, codes",
        "the same: what its example spells otherwise; a power cut while updating; reboot after success",
        "Quectel BC26 AT Commands Manual V1.1: ATI, CGMI of three lines, CGSN, CSQ, CBC, AT+IPR with AT&W",
        "BC660K users on Quectel's forum: code 12 after two silent minutes when the URL can't be reached",
        "logs of BC26 and BC66 in public code: the boot ROM's text, RDY, +CFUN: 1, +CPIN: READY",
        "inferred: AT+QFOTADL=?, the errors of a second one and of a bad URL; deaf while it updates",
        "inferred: END 254 or 255 comes without a reboot; how fast it loads; 12 for a file that is too large",
    ),
    answers={
        **standard.ANSWERS,
        b"ATI": (b"Quectel_Ltd\r\nQuectel_BC26\r\nRevision: {version}",),
        b"AT+CGMI": (b"Quectel_Ltd\r\nQuectel_BC26\r\nRevision: MTK_2625",),
        b"AT+CGMM": (b"Quectel_BC26",),
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
    way=UrlPull(),
    restarts={b"+QRST=1": Restart(), b"+CFUN=1,1": Restart()},
    ipr=Ipr(_RATES, b"+IPR: (" + standard.listed(_RATES) + b")", stored=False),
    autobaud=Autobaud(_AUTOBAUD),
    boot=Boot(
        steps=(mt2625.ROM, Step(2.5, b"")),
        update=(
            mt2625.ROM,
            Step(1.0, b'\r\n+QIND: "FOTA","START"\r\n'),
            *percent_steps(b'+QIND: "FOTA","UPDATING",%d', 75.0, 5),
        ),
        good=(Step(1.0, b'\r\n+QIND: "FOTA","END",0\r\n'), mt2625.ROM, Step(2.5, b"")),
        bad=(Step(1.0, b'\r\n+QIND: "FOTA","END",1\r\n'), mt2625.ROM, Step(2.5, b"")),
        ending=b"\r\nRDY\r\n\r\n+CFUN: 1\r\n",
        late=(mt2625.CPIN,),
    ),
    baud=115200,
    serial="F9A0C1D2E3B4A5968778695A4B3C2D1E",
    csq=22,
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
    sleep=(b"QSCLK", (b"1", b"2")),
    urcs=(b"+CEREG: 1", b"+CSCON: 1", b"+CPIN: READY", b'+QIND: "csq",22'),
)
