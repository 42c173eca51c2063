"""Nordic nRF93M1: NFWUPD under HiSilicon's name, as on the EC616, and a boot text of its own."""

from dataclasses import replace

from atota.sim.boot import Boot, Step
from atota.sim.personas.clones import EC616
from atota.sim.ways.ec616 import Ec616Nfwupd

NRF93M1 = replace(
    EC616,
    name="NRF93M1",
    aliases=("nRF93M1-LABA",),
    vendor="Nordic Semiconductor",
    chip="nRF93M1",
    version="mfw_nrf93m1_1.4.1",
    sources=(
        "Nordic's test suite of the nRF93M1: RDY at a start, then AT+NFWUPD=0, AT+CGMR",
        "public notes on the nRF93M1 DK: CGMR mfw_nrf93m1_1.4.1, CGMM nRF93M1-LABA-A0A (R3), 115200 baud",
        "nRF Connect SDK, updating the modem firmware: numbered packets, a length, an XOR-8 checksum; signed",
        "inferred: texts, limits and errors of NFWUPD, from the public EC616 SDK; how long an update lasts",
    ),
    answers={
        **EC616.answers,
        b"ATI": (b"nRF93M1-LABA-A0A (R3)",),
        b"AT+CGMI": (b"Nordic Semiconductor ASA",),
        b"AT+CGMM": (b"nRF93M1-LABA-A0A (R3)",),
    },
    way=Ec616Nfwupd(blocks=20),
    boot=Boot(steps=(Step(2.0, b""),), update=(Step(2.0, b""), Step(60.0, b"")), ending=b"\r\nRDY\r\n"),
    baud=115200,
)
