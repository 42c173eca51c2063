"""Modules of which nothing is documented: one that turns out to be an Hi2115, one that can do nothing."""

from dataclasses import replace

from atota.sim.boot import Boot, Step
from atota.sim.persona import Persona
from atota.sim.personas import hi2115, standard
from atota.sim.personas.nb86g import NB86_G
from atota.sim.ways.no_update import NoUpdate

UNKNOWN_HI2115 = replace(
    NB86_G,
    name="UNKNOWN-HI2115",
    aliases=("RG-NB6118",),
    vendor="Ruijie",
    version="RG6118_V1.02",
    sources=(
        "inferred: all of it; the RG-NB6118 has no document, any Hi2115 module would answer like this",
        "HiSilicon Hi2115 B500 (observed): AT+NFWUPD, the shape of AT+CGMR, no ATI, no ATE, no AT+CBC",
    ),
    answers={
        **hi2115.ANSWERS,
        b"AT+CGMI": (b"Ruijie",),
        b"AT+CGMM": (b"RG-NB6118",),
        b"AT+CGMR": (
            b"SSB,V150R100C10B200SP1",
            b"SECURITY_A,V150R100C20B300SP5",
            b"PROTOCOL_A,V150R100C20B300SP5",
            b"APPLICATION_A,{version}",
            b"SECURITY_B,V150R100C20B300SP5",
            b"RADIO,Hi2115_RF1",
        ),
    },
    boot=replace(NB86_G.boot, ending=hi2115.ENDING + b"Neul \r\nOK\r\n"),
)

N20 = Persona(
    name="N20",
    vendor="Neoway",
    chip="unknown",
    version="N20-R02-STD",
    sources=(
        "public readme of a Neoway N20 on a Raspberry Pi: 115200 baud, GPRS and NB-IoT, dial-up",
        "inferred: everything else; no manual was found, so every command about firmware is an ERROR here",
    ),
    answers={
        **standard.ANSWERS,
        b"ATI": (b"NEOWAY\r\nN20\r\n{version}",),
        b"AT+CGMI": (b"NEOWAY",),
        b"AT+CGMM": (b"N20",),
        b"AT+CGMR": (b"{version}",),
        b"AT+CGSN": (b"{imei}",),
        b"AT+CSQ": (b"+CSQ: {csq},99",),
    },
    settings=standard.SETTINGS,
    way=NoUpdate(),
    boot=Boot(
        steps=(Step(3.0, b""),),
        update=(Step(3.0, b""),),
        ending=b"\r\nMODEM:STARTUP\r\n\r\n+PBREADY\r\n",
    ),
    baud=115200,
    ate=True,
    echo=True,
    cme_texts=standard.CME_TEXTS,
    unknown_code=100,
    urcs=standard.URCS,
)
