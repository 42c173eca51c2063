"""China Mobile M5310-A: Hi2115, erase, download, 2 validates, 5; no ATE, no ATI."""

from dataclasses import replace

from atota.sim.persona import Persona
from atota.sim.personas import hi2115

M5310_A = Persona(
    name="M5310-A",
    aliases=("M5310A",),
    vendor="China Mobile",
    chip="Hi2115",
    version="M5310-A-MONH0S00",
    sources=(
        "China Mobile M5310-A AT command set for V150R100C10B300: codes 0-5, flow, error 529",
        "OneNET guide to FOTA on the M531x, screenshots: the two boot passes, the greeting, the reboot cause",
        "OneNET FAQ 115: after a reboot the module stays at 9600 before it goes to the stored rate",
        "HiSilicon Hi2115 B500: counter, checksum, lengths, error numbers, status texts (observed)",
        "inferred: which line of AT+CGMR carries the version; AT+CGMI (the M5312 manual has CMCC)",
    ),
    answers={
        **hi2115.ANSWERS,
        b"AT+CGMI": (b"CMCC",),
        b"AT+CGMM": (b"M5310-A",),
        b"AT+CGMR": (
            b"SSB,V150R100C10B200SP1",
            b"SECURITY_A,V150R100C10B300SP2",
            b"PROTOCOL_A,V150R100C10B300SP2",
            b"APPLICATION_A,{version}",
            b"SECURITY_B,V150R100C10B300SP2",
            b"RADIO,Hi2115_RF1",
        ),
    },
    settings=hi2115.SETTINGS,
    nconfig=hi2115.NCONFIG,
    # Its manual ends at 460800.
    natspeed=replace(
        hi2115.NATSPEED,
        bauds=(4800, 9600, 57600, 115200, 230400, 460800),
        test=b"+NATSPEED:(4800,9600,57600,115200,230400,460800),(0-30),(0,1),(0-3),(1,2),(0-2),(0,1)",
    ),
    way=hi2115.nfwupd(validate_first=True),
    restarts=hi2115.RESTARTS,
    boot=replace(
        hi2115.boot(b"M5310-A\r\nOK\r\n"),
        first_baud=9600,
        switch_s=2.0,
    ),
    busy_code=529,
    urcs=(b"+CSCON:1", b"+CEREG:1", b"+CSCON:0", b"+MIPLEVENT:0,26"),
)
