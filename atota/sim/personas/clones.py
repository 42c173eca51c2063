"""Other chips with HiSilicon's NFWUPD: EigenComm EC616, XinYi XY1100, and one under a wrong name."""

from atota.sim.boot import Boot, Step
from atota.sim.persona import Ipr, Natspeed, Persona, Restart, Setting
from atota.sim.personas import standard
from atota.sim.reply import PLAIN
from atota.sim.ways.ec616 import Ec616Nfwupd
from atota.sim.ways.xy1100 import NOT_ALLOWED, PARAM_INVALID, Xy1100Nfwupd

_RATES = (2400, 4800, 9600, 57600, 115200)

EC616 = Persona(
    name="EC616",
    aliases=("EC616S",),
    vendor="EigenComm",
    chip="EC616",
    version="V0040_BASELINE_0010",
    sources=(
        "public EC616 SDK, AT+NFWUPD: parameters, codes 0-7, states, status texts, errors",
        "the same: erase pauses of 300 ms each, three idle minutes, no OK after code 5",
        "inferred: identities, AT+CGMR of one line, 9600 baud, echo off, no boot text, size of the slot",
        "inferred: error numbers outside NFWUPD, how long a start and an update take",
    ),
    answers={
        **standard.ANSWERS,
        b"ATI": (b"EIGENCOMM\r\nEC616\r\n{version}",),
        b"AT+CGMI": (b"EIGENCOMM",),
        b"AT+CGMM": (b"EC616",),
        b"AT+CGMR": (b"{version}",),
        b"AT+CGSN": (b"{serial}",),
        b"AT+CGSN=1": (b'+CGSN: "{imei}"',),
        b"AT+CSQ": (b"+CSQ: {csq},99",),
        b"AT+CBC": (b"+CBC: {supply}",),
    },
    settings=standard.SETTINGS,
    way=Ec616Nfwupd(),
    ipr=Ipr(_RATES, b"+IPR: (2400,4800,9600,57600,115200)", at_once=True),
    boot=Boot(
        steps=(Step(2.5, b""),),
        update=(Step(2.5, b""), Step(38.0, b"")),
        ending=b"",
    ),
    ate=True,
    cme_texts=standard.CME_TEXTS,
    restarts={b"+ECRST": Restart((b"REBOOTING",), bare=True)},
    line_limit=2048,
    unknown_code=4,
    refusal_code=PLAIN,
    busy_code=PLAIN,
    urcs=(b"+CEREG: 1", b"+CSCON: 1", b"+CSCON: 0"),
)

_XY_ANSWERS = {
    b"AT": (),
    b"AT+CGSN": (b"+CGSN:{serial}",),
    b"AT+CGSN=1": (b"+CGSN:{imei}",),
    b"AT+CSQ": (b"+CSQ:{csq},99",),
    b"AT+CGMR": (b"{version}",),
    b"AT+NUESTATS=RADIO": (b"NUESTATS:RADIO,Signal power:-842",),
}

_XY_SETTINGS = {
    b"CMEE": Setting((b"0", b"1"), b"0", b"+CMEE:{value}", b"+CMEE:(0,1)"),
    b"CFUN": Setting((b"0", b"1"), b"1", b"+CFUN:{value}", b"+CFUN:(0,1),(0,1)", seconds=1.2),
    b"CEREG": Setting((b"0", b"1", b"2"), b"0", b"+CEREG:{value},1", b"+CEREG:(0,1,2)"),
}

_XY_BOOT = Boot(
    steps=(Step(0.3, b"{noise}"), Step(1.5, b"")),
    update=(Step(0.3, b"{noise}"), Step(40.0, b"")),
    ending=b"\r\n{cause}\r\nOK\r\n",
    update_cause=b"REBOOT_CAUSE_SECURITY_FOTA_UPGRADE",
)

_XY_NATSPEED = Natspeed(
    bauds=_RATES,
    most=7,
    read=b"+NATSPEED:{baud},2,1,0,0",
    test=b"+NATSPEED:(2400,4800,9600,57600,115200),(0-30),(0,1),(0-3),(1,2),(0-2),(0,1)",
)

_XY_SOURCES = (
    "public XY1100 SDKs, handler of AT+NFWUPD: codes, counter, lengths, status texts, +FIRMWARE UPDATING",
    "public XY1100 SDKs: error numbers 8001 and 8002, AT+FOTACTR",
    "public XY1100 SDKs: a build for Quectel prints the reboot causes of HiSilicon's firmware",
    "inferred: identities, AT+CGMR of one line, 9600 baud, AT+NATSPEED as on the Hi2115, the boot text",
)

XY1100 = Persona(
    name="XY1100",
    vendor="XinYi",
    chip="XY1100",
    version="XY1100_V1.0.3",
    sources=_XY_SOURCES,
    answers={**_XY_ANSWERS, b"AT+CGMI": (b"XINYI",), b"AT+CGMM": (b"XY1100",)},
    settings=_XY_SETTINGS,
    natspeed=_XY_NATSPEED,
    way=Xy1100Nfwupd(),
    boot=_XY_BOOT,
    restarts={b"+NRB": Restart((b"REBOOTING",), bare=True)},
    unknown_code=8012,
    value_code=PARAM_INVALID,
    refusal_code=NOT_ALLOWED,
    busy_code=8007,
)

BC28_CLONE = Persona(
    name="BC28-CLONE",
    aliases=("BC28-XY1100",),
    vendor="Quectel",
    chip="XY1100",
    version="BC28CNVR01A02",
    sources=(
        "public XY1100 SDK of the older kind: test form (0,1,2,5), code 2 without a text, no codes 3 and 4",
        *_XY_SOURCES[1:],
        "inferred: that one says BC28 of itself; the SDK has a build for Quectel and names no module",
    ),
    answers={
        **_XY_ANSWERS,
        b"ATI": (b"Quectel\r\nBC28\r\nRevision:{version}",),
        b"AT+CGMI": (b"Quectel",),
        b"AT+CGMM": (b"BC28",),
    },
    settings=_XY_SETTINGS,
    natspeed=_XY_NATSPEED,
    way=Xy1100Nfwupd(test=b"+NFWUPD:(0,1,2,5)", good=None),
    boot=_XY_BOOT,
    restarts={b"+NRB": Restart((b"REBOOTING",), bare=True)},
    ate=True,
    unknown_code=8012,
    value_code=PARAM_INVALID,
    refusal_code=NOT_ALLOWED,
    busy_code=8007,
)
