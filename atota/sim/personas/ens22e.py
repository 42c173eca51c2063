"""Cinterion ENS22-E: Boudica with AT^SNFWPUPDS, fixed segment lengths, 115200 baud, echo on."""

from atota.sim.boot import Boot, Step
from atota.sim.persona import Ipr, Persona, Restart
from atota.sim.personas import hi2110, standard
from atota.sim.ways.ens22 import Snfwpupds

_RATES = (4800, 9600, 57600, 115200)

ENS22 = Persona(
    name="ENS22",
    aliases=("ENS22-E",),
    vendor="Gemalto",
    chip="Boudica",
    version="ENS22-E_01.000",
    sources=(
        "Cinterion ENS22-E AT Command Set V01.000: AT^SNFWPUPDS codes 0-5, lengths, XOR8; AT+IPR survives",
        "the same: 115200 baud, ATE1, 100 ms after a final result, 30 s for a command line",
        "inferred: counter, status texts and refusals as on the Hi2115 (its error table is HiSilicon's)",
        "inferred: identities, 2 before 5, the boot text and its cause, how long things take",
    ),
    answers={
        **standard.ANSWERS,
        b"ATI": (b"Cinterion\r\nENS22-E\r\n{version}",),
        b"AT+CGMI": (b"Cinterion",),
        b"AT+CGMM": (b"ENS22-E",),
        b"AT+CGMR": (b"{version}",),
        b"AT+CGSN": (b"{imei}",),
        b"AT+CGSN=1": (b"+CGSN: {imei}",),
        b"AT+CSQ": (b"+CSQ: {csq},99",),
    },
    settings=standard.SETTINGS,
    way=Snfwpupds(
        test=b"^SNFWPUPDS: (0-5)",
        prefix=b"^SNFWPUPDS: ",
        erase=True,
        names=True,
        status=True,
        validate_first=True,
        refusal_line=False,
        most=512,
    ),
    ipr=Ipr(_RATES, b"+IPR: (),(4800,9600,57600,115200)"),
    boot=Boot(
        steps=(*hi2110.BOOT_LINES, Step(1.0, b"")),
        update=(*hi2110.BOOT_LINES, Step(60.0, b""), *hi2110.BOOT_LINES),
        ending=b"\r\n{cause}\r\n^SYSSTART\r\n",
        update_cause=hi2110.UPDATE_CAUSE,
    ),
    restarts={b"+CFUN=1,1": Restart()},
    restart_cause=b"REBOOT_CAUSE_APPLICATION_AT",
    baud=115200,
    ate=True,
    echo=True,
    guard_s=0.1,
    line_timeout_s=30.0,
    line_limit=2048,
    cme_texts=standard.CME_TEXTS,
    unknown_code=4,
    urcs=(b"+CEREG: 1", b"+CSCON: 1", b"+CSCON: 0"),
)
