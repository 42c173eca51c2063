"""Gosuncn ME3616 (MT2625): one stream behind ``> `` and ``CONNECT``, AT+ZRST, NUL bytes, +FOTAIND."""

from atota.sim.boot import Boot, Step
from atota.sim.persona import Autobaud, Ipr, Persona, Setting
from atota.sim.personas import mt2625, standard
from atota.sim.reply import PLAIN
from atota.sim.ways.zcomwrt import Zcomwrt

_AUTOBAUD = (9600, 19200, 38400, 57600, 115200)
_RATES = (0, 2400, 4800, *_AUTOBAUD, 230400, 460800, 921600)
_ATI = (
    b"Manufacture: GOSUNCN WELINK Corporation",
    b"Model: ME3616",
    b"SwRevision: {version}",
    b"HwRevision: ME3616_MB_A",
    b"SVN: 65",
    b"IMEI: {imei}",
)

ME3616 = Persona(
    name="ME3616",
    vendor="Gosuncn",
    chip="MT2625",
    version="ME3616E1AV0.0B01",
    sources=(
        "ME3616 AT Command Manual V1.5, 5.4: ZCOMWRT, `> ` and then CONNECT, earlier bytes are lost, no echo",
        "the same, 18: ZRST, OK with a NUL, *MATREADY, +CFUN, about a minute, +FOTAIND with a NUL",
        "the same: ATI, CGMI, CGSN, CSQ, no CBC; +IFC: 2,2; echo on; plain ERROR; IPR needs a restart",
        "inferred: ERROR after 20 s without bytes, the largest package, where FAIL_END comes",
        "inferred: the boot ROM's text, as on the other modules with this chip",
    ),
    answers={
        **standard.ANSWERS,
        b"ATI": (b"\r\n".join(_ATI),),
        b"AT+CGMI": (b"GOSUNCN WELINK Corporation",),
        b"AT+CGMM": (b"ME3616",),
        b"AT+CGMR": (b"{version}",),
        b"AT+CGSN": (b"A1234567890z",),
        b"AT+CGSN=1": (b"+CGSN: {imei}",),
        b"AT+CSQ": (b"+CSQ: {csq},99",),
        b"AT+ZADC?": (b"+ZADC: 236",),
    },
    settings={
        **standard.SETTINGS,
        b"IFC": Setting((b"0,0", b"2,2"), b"2,2", b"+IFC: {value}", b"+IFC: (0,2),(0,2)"),
        b"ZSLR": Setting((b"0", b"1"), b"0", b"+ZSLR: {value}", b"+ZSLR: (0,1)"),
    },
    way=Zcomwrt(),
    ipr=Ipr(_RATES, b"+IPR: (" + standard.listed(_RATES) + b")", at_once=False),
    autobaud=Autobaud(_AUTOBAUD),
    boot=Boot(
        steps=(mt2625.ROM, Step(2.5, b"")),
        update=(mt2625.ROM, Step(4.0, b"")),
        ending=mt2625.BANNER,
        late=(mt2625.CPIN, Step(3.0, b"\r\n+IP: 100.64.0.17\r\n")),
        late_good=(Step(55.0, b"\r\n+FOTAIND: SUCCESS_END\r\n\x00"), mt2625.CPIN),
        late_bad=(Step(55.0, b"\r\n+FOTAIND: FAIL_END\r\n\x00"), mt2625.CPIN),
    ),
    baud=115200,
    line_limit=1024,
    line_error=PLAIN,
    ate=True,
    echo=True,
    ignores_strays=True,
    unknown_code=PLAIN,
    value_code=PLAIN,
    refusal_code=PLAIN,
    busy_code=PLAIN,
    cme_texts=standard.CME_TEXTS,
    sleep=(b"ZSLR", (b"1",)),
    urcs=standard.URCS,
)
