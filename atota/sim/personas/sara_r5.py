"""u-blox SARA-R510S and LARA-R6001: as the SARA-R4, and the install tells its percentage on the UART."""

from dataclasses import replace

from atota.sim.boot import Boot, Step, percent_steps
from atota.sim.personas.sara_r4 import SARA_R410
from atota.sim.ways.ufwupd import Ufwupd

_PROGRESS = b"+UUFWINSTALL: %d"
_OVER = b"\r\n+UUFWINSTALL: %d\r\n"

SARA_R510 = replace(
    SARA_R410,
    name="SARA-R510",
    aliases=("SARA-R5", "SARA-R510S", "SARA-R510S-01B"),
    chip="UBX-R5",
    version="03.15",
    version_rest=b"A00.01",
    sources=(
        "u-blox SARA-R5 AT commands manual UBX-19047455 R13: SARA-R510S-01B has 03.15 and A00.01",
        "Particle's updater for the SARA-R510S-01B: AT+UFWINSTALL=1,115200, +UUFWINSTALL, 25 to 32 minutes",
        "u-blox's own library: percent below 128, 128 success, the rest errors, 141 of the RAM",
        "inferred: AT+UFWUPD=3 and XMODEM as in UBX-17003787 R16, 14.2; the identification texts",
    ),
    answers={
        **SARA_R410.answers,
        b"ATI": (b"SARA-R510S-01B-00",),
        b"ATI9": (b"{short},{rest}",),
        b"AT+CGMM": (b"SARA-R510S",),
        b"AT+GMM": (b"SARA-R510S",),
        b"AT+CGMR": (b"{short}",),
        b"AT+GMR": (b"{short}",),
        b"AT+CBC": (b"+CBC: 0,0",),
    },
    way=Ufwupd(starts=(b"+UFWINSTALL=1,115200",)),
    boot=Boot(
        steps=(Step(5.0, b""),),
        update=(Step(45.0, b""), *percent_steps(_PROGRESS, 1500.0, 4)),
        good=(Step(20.0, _OVER % 128), Step(5.0, b"")),
        bad=(Step(20.0, _OVER % 141), Step(5.0, b"")),
        ending=b"",
        update_clears_nvm=True,
    ),
)

LARA_R6 = replace(
    SARA_R510,
    name="LARA-R6",
    aliases=("LARA-R6001", "LARA-R6001D"),
    chip="unknown",
    version="00.13",
    sources=(
        "u-blox's own library: LARA-R6 beside the SARA-R5, +UUFWINSTALL alike",
        "inferred: everything else is as on the SARA-R510S; the version",
    ),
    answers={
        **SARA_R510.answers,
        b"ATI": (b"LARA-R6001D-00B-00",),
        b"ATI9": (b"{short},{rest}",),
        b"AT+CGMM": (b"LARA-R6001D",),
        b"AT+GMM": (b"LARA-R6001D",),
    },
)
