"""Lierda NB86-G: Hi2115 with HiSilicon's own AT layer and Lierda's greeting; no ATE, no ATI, no CBC."""

from atota.sim.persona import Persona
from atota.sim.personas import hi2115

NB86_G = Persona(
    name="NB86-G",
    aliases=("NB86G",),
    vendor="Lierda",
    chip="Hi2115",
    version="V150R100C20B500SP1",
    sources=(
        "HiSilicon Hi2115 B500 as Lierda ships it for the NB86-G (observed): AT+NFWUPD, AT+CMEE, AT+NATSPEED",
        "the same, its command table: no ATI, no ATE, no AT+CBC",
        "Lierda OpenCPU SDK for the NB86-G: AT+LGMR, greeting `Lierda ` and `OK`, AT+CGMI, AT+CGMM",
        "inferred: erase, download, 2, 5 as on the M5310-A (the refusal PACKAGE_NOT_VALIDATION is observed)",
        "inferred: what AT+LGMR prints; which lines of AT+CGMR carry which version",
    ),
    answers={
        **hi2115.ANSWERS,
        b"AT+CGMI": (b"Lierda",),
        b"AT+CGMM": (b"LSD4NBN-150H01",),
        b"AT+LGMR": (b"{version}",),
        b"AT+CGMR": (
            b"SSB,V150R100C10B200SP1",
            b"SECURITY_A,V150R100C20B500SP1",
            b"PROTOCOL_A,V150R100C20B500SP1",
            b"APPLICATION_A,{version}",
            b"SECURITY_B,V150R100C20B500SP1",
            b"RADIO,Hi2115_RF1",
        ),
    },
    settings=hi2115.SETTINGS,
    nconfig=hi2115.NCONFIG,
    natspeed=hi2115.NATSPEED,
    way=hi2115.nfwupd(validate_first=True),
    restarts=hi2115.RESTARTS,
    boot=hi2115.boot(b"Lierda \r\nOK\r\n"),
)
