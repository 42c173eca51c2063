"""Quectel BC95-B8: Hi2110, no erase code, 2 validates and must come before 5."""

from atota.sim.persona import Natspeed, Persona, Setting
from atota.sim.personas import hi2110
from atota.sim.ways.nfwupd import Nfwupd

BC95_B8 = Persona(
    name="BC95-B8",
    aliases=("BC95",),
    vendor="Quectel",
    chip="Hi2110",
    version="V100R100C10B657SP5",
    sources=(
        "Quectel BC95 AT commands manual V2.1: codes 1-5, flow, no start without validation",
        "public BC95 transcripts: CGMM, CGMR, NBAND byte for byte",
        "inferred: counter and checksum rules as on the Hi2115; sn 0 clears the slot; the code 2 texts",
    ),
    answers={
        b"AT": (),
        b"ATI": (b"Quectel\r\nBC95HB-02-STD_900\r\nRevision:{version}",),
        b"AT+CGMI": (b"Quectel",),
        b"AT+CGMM": (b"BC95HB-02-STD_900",),
        b"AT+CGMR": (
            b"SECURITY,{version}",
            b"PROTOCOL,{version}",
            b"APPLICATION,{version}",
            b"SEC_UPDATER,{version}",
            b"APP_UPDATER,{version}",
            b"RADIO,BC95HB-02-STD_900",
        ),
        b"AT+CGSN=1": (b"+CGSN:{imei}",),
        b"AT+CGSN=0": (b"+CGSN:{serial}",),
        b"AT+CGSN": (b"+CGSN:{serial}",),
        b"AT+CSQ": (b"+CSQ:{csq},99",),
        b"AT+NUESTATS": (
            b"Signal power:-842",
            b"Total power:-765",
            b"TX power:-32768",
            b"TX time:0",
            b"RX time:2513",
            b"Cell ID:27447553",
            b"DL MCS:0",
            b"UL MCS:0",
            b"DCI MCS:0",
            b"ECL:0",
            b"SNR:98",
            b"EARFCN:3734",
            b"PCI:251",
        ),
    },
    settings={
        b"CMEE": Setting((b"0", b"1"), b"0", b"+CMEE:{value}", b"+CMEE:(0,1)"),
        b"CFUN": Setting((b"0", b"1"), b"1", b"+CFUN:{value}", b"+CFUN:(0,1),(0,1)", seconds=1.2),
        b"CEREG": Setting((b"0", b"1", b"2"), b"0", b"+CEREG:{value},1", b"+CEREG:(0,1,2)"),
        b"NBAND": Setting((b"8",), b"8", b"+NBAND:{value}", b"+NBAND:(8)", stored=True),
        b"CPSMS": Setting((), b"0", b"+CPSMS:{value}", None),
        b"CSCON": Setting((b"0", b"1"), b"0", b"+CSCON:{value},0", b"+CSCON:(0,1)"),
    },
    nconfig=hi2110.NCONFIG,
    natspeed=Natspeed(
        bauds=(4800, 9600, 57600, 115200),
        most=6,
        read=b"+NATSPEED:{baud},2,1,0",
        test=b"+NATSPEED:(4800,9600,57600,115200),(0-30),(0,1),(0-3),(1,2),(0-2)",
    ),
    way=Nfwupd(
        test=b"+NFWUPD:(1-5)",
        prefix=b"+NFWUPD:",
        erase=False,
        names=True,
        status=True,
        validate_first=True,
        refusal_line=True,
        most=1024,  # the manual says any length; the command line ends it
        refuses_while_validating=True,
        validate_s=10.0,
    ),
    restarts=hi2110.RESTARTS,
    boot=hi2110.boot(b"Neul \r\nOK\r\n"),
    line_limit=2100,
    final_each=True,
    ate=True,
)
