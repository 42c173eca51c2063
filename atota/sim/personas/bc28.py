"""Quectel BC28: Hi2115, erase, download, 5; the boot checks the package, 2 tells the last update's result."""

from atota.sim.persona import Persona
from atota.sim.personas import hi2115

BC28 = Persona(
    name="BC28",
    vendor="Quectel",
    chip="Hi2115",
    version="BC28JAR01A03",
    sources=(
        "Quectel BC35-G/BC28/BC95-R2.0 AT commands manual V1.4: codes, flow, any order but in sequence",
        "HiSilicon Hi2115 B500: counter, checksum, lengths, error numbers, status texts (observed)",
        "BC28 drivers in public code: ATI text, boot lines, reboot cause",
    ),
    answers={
        **hi2115.ANSWERS,
        b"ATI": (b"Quectel\r\nBC28\r\nRevision:{version}",),
        b"AT+CGMI": (b"Quectel",),
        b"AT+CGMM": (b"BC28",),
        b"AT+QGMR": (b"{version}",),
        b"AT+CGMR": (
            b"SSB,V150R100C10B200SP1",
            b"SECURITY_A,V150R100C20B300SP5",
            b"PROTOCOL_A,V150R100C20B300SP5",
            b"APPLICATION_A,V150R100C20B300SP5",
            b"SECURITY_B,V150R100C20B300SP5",
            b"RADIO,Hi2115_RF0",
        ),
    },
    settings=hi2115.SETTINGS,
    nconfig=hi2115.NCONFIG,
    natspeed=hi2115.NATSPEED,
    way=hi2115.nfwupd(validate_first=False),
    restarts=hi2115.RESTARTS,
    boot=hi2115.boot(b"Neul \r\nOK\r\n"),
    ate=True,
    final_each=True,
)
