"""u-blox SARA-R410M-02B: XMODEM behind AT+UFWUPD=3, AT+UFWINSTALL, many silent minutes."""

from atota.sim.boot import Boot, Step
from atota.sim.persona import Ipr, Persona, Restart, Setting
from atota.sim.personas import standard
from atota.sim.reply import PLAIN
from atota.sim.ways.ufwupd import Ufwupd

_RATES = (9600, 19200, 38400, 57600, 115200, 230400, 460800)
_REVISION = b"{short} [Feb 03 2018 13:00:41]"

SARA_R410 = Persona(
    name="SARA-R410",
    aliases=("SARA-R4", "SARA-R410M", "SARA-R410M-02B"),
    vendor="u-blox",
    chip="MDM9206",
    version="L0.0.00.00.05.06",
    version_rest=b"A.02.00",
    sources=(
        "u-blox SARA-R4 AT manual UBX-17003787 R16, 14.2: UFWUPD=3, ONGOING, CCC, ten NAKs, OK, under 20 s",
        "the same, 14.1: UFWINSTALL, up to 20 minutes without UART, settings as the new firmware brings them",
        "u-blox SARA-R4 System integration manual UBX-16029218 R03, 1.12.7: order, check at boot",
        "XMODEM/YMODEM Protocol Reference (Forsberg, 1988): C, NAK, a repeated packet, cancel",
        "inferred: plain ERROR for a broken transfer and for UFWINSTALL without a file; no boot text",
        "inferred: the identification texts, from drivers in public code",
    ),
    answers={
        **standard.ANSWERS,
        b"ATI": (
            b"\r\n".join(
                (
                    b"Manufacturer: u-blox",
                    b"Model: SARA-R410M-02B",
                    b"Revision: " + _REVISION,
                    b"SVN: 02",
                    b"IMEI: {imei}",
                )
            ),
        ),
        b"ATI9": (b"{short},{rest}",),
        b"AT+CGMI": (b"u-blox",),
        b"AT+GMI": (b"u-blox",),
        b"AT+CGMM": (b"SARA-R410M-02B",),
        b"AT+GMM": (b"SARA-R410M-02B",),
        b"AT+CGMR": (_REVISION,),
        b"AT+GMR": (_REVISION,),
        b"AT+CGSN": (b"{imei}",),
        b"AT+GSN": (b"{imei}",),
        b"AT+CSQ": (b"+CSQ: {csq},99",),
    },
    settings={
        **standard.SETTINGS,
        b"IFC": Setting((b"0,0", b"2,2"), b"2,2", b"+IFC: {value}", b"+IFC: (0,2),(0,2)"),
        b"UPSV": Setting((b"0", b"1", b"4"), b"0", b"+UPSV: {value}", b"+UPSV: (0,1,4)"),
    },
    way=Ufwupd(),
    restarts={b"+CFUN=15": Restart(), b"+CFUN=1,1": Restart()},
    ipr=Ipr(_RATES, b"+IPR: (" + standard.listed(_RATES) + b"),()", stored=False),
    boot=Boot(
        steps=(Step(5.0, b""),),
        update=(Step(30.0, b""),),
        good=(Step(690.0, b""),),
        bad=(Step(45.0, b""),),
        ending=b"",
        update_clears_nvm=True,
    ),
    baud=115200,
    line_limit=1024,
    line_error=PLAIN,
    ate=True,
    echo=True,
    ignores_strays=True,
    unknown_code=PLAIN,
    value_code=PLAIN,
    refusal_code=PLAIN,
    busy_code=3,
    cme_texts=standard.CME_TEXTS,
    urcs=standard.URCS,
)
