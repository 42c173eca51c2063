"""Quectel BC28 whose firmware keeps the order of HiSilicon's B500: code 5 wants code 2 first."""

from dataclasses import replace

from atota.sim.personas import hi2115
from atota.sim.personas.bc28 import BC28

BC28_B500 = replace(
    BC28,
    name="BC28-B500",
    version="BC28JAR01A07",
    sources=(
        "HiSilicon Hi2115 B500: code 5 answers PACKAGE_NOT_VALIDATION and error 50 before code 2 (observed)",
        "Quectel BC35-G/BC28/BC95-R2.0 AT commands manual V1.4 has the other order for the same module",
        "BC28 drivers in public code: ATI text, boot lines, reboot cause",
        "inferred: the version, and that a BC28 was delivered with a B500 firmware",
    ),
    answers={
        **BC28.answers,
        b"AT+CGMR": (
            b"SSB,V150R100C10B200SP1",
            b"SECURITY_A,V150R100C20B500SP1",
            b"PROTOCOL_A,V150R100C20B500SP1",
            b"APPLICATION_A,V150R100C20B500SP1",
            b"SECURITY_B,V150R100C20B500SP1",
            b"RADIO,Hi2115_RF0",
        ),
    },
    way=hi2115.nfwupd(validate_first=True),
)
