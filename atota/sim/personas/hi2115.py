"""The base of the modules on HiSilicon's Hi2115: its own AT layer, boot ROM and boot lines."""

from collections.abc import Mapping

from atota.sim.boot import Boot, Step
from atota.sim.persona import Natspeed, Restart, Setting
from atota.sim.ways.nfwupd import Nfwupd

# The boot ROM speaks at 115200 for any stored rate (RAK forum on the BC95-G, Hi2115 logs).
ROM = Step(0.05, b"\r\nHI2115-ssb-codeloader\r\n", 115200)

# "Security B.." and its "Verified" can be a second apart (BC28 driver logs).
BOOT_LINES = (
    ROM,
    Step(0.4, b"\r\nBoot: Unsigned\r\n"),
    Step(0.2, b"Security B.."),
    Step(0.9, b" Verified\r\n"),
    Step(0.1, b"Protocol A.."),
    Step(0.7, b" Verified\r\n"),
    Step(0.1, b"Apps A......"),
    Step(0.6, b" Verified\r\n"),
)

ENDING = b"\r\n{cause}\r\n"

ANSWERS: Mapping[bytes, tuple[bytes, ...]] = {
    b"AT": (),
    b"AT+CGSN=1": (b"+CGSN:{imei}",),
    b"AT+CGSN=0": (b"+CGSN:{serial}",),
    b"AT+CGSN": (b"+CGSN:{serial}",),  # 3GPP 27.007: no <snt> is <snt> 0, which is not the IMEI
    b"AT+CGSN=?": (b"+CGSN:(0,1,2,3)",),
    b"AT+CSQ": (b"+CSQ:{csq},99",),
    b"AT+CSQ=?": (b"+CSQ:(0-31,99),(99)",),
    b"AT+NUESTATS": (
        b"Signal power:-842",
        b"Total power:-765",
        b"TX power:-32768",
        b"TX time:0",
        b"RX time:2513",
        b"Cell ID:27447553",
        b"ECL:0",
        b"SNR:98",
        b"EARFCN:3734",
        b"PCI:251",
        b"RSRQ:-108",
        b"OPERATOR MODE:4",
    ),
    b"AT+NUESTATS=RADIO": (
        b"NUESTATS:RADIO,Signal power:-842",
        b"NUESTATS:RADIO,Total power:-765",
        b"NUESTATS:RADIO,TX power:-32768",
        b"NUESTATS:RADIO,ECL:0",
        b"NUESTATS:RADIO,SNR:98",
    ),
    b"AT+NCHIPINFO=VBAT": (b"+NCHIPINFO:VBAT,{supply}",),
    b"AT+NCHIPINFO=TEMP": (b"+NCHIPINFO:TEMP,27",),
    b"AT+NCHIPINFO=ALL": (b"+NCHIPINFO:TEMP,27", b"+NCHIPINFO:VBAT,{supply}"),
    b"AT+NCHIPINFO=?": (b"+NCHIPINFO:(ALL,TEMP,VBAT)",),
}

SETTINGS: Mapping[bytes, Setting] = {
    b"CMEE": Setting((b"0", b"1"), b"0", b"+CMEE:{value}", b"+CMEE:(0,1)"),
    b"CFUN": Setting((b"0", b"1", b"0,0", b"1,0"), b"1", b"+CFUN:{value}", b"+CFUN:(0,1),(0,1)", seconds=1.2),
    b"CEREG": Setting(
        (b"0", b"1", b"2", b"3", b"4", b"5"), b"0", b"+CEREG:{value},1", b"+CEREG:(0,1,2,3,4,5)"
    ),
    b"NBAND": Setting((), b"8,5,3,28,20,1", b"+NBAND:{value}", b"+NBAND:(8,5,3,28,20,1)", stored=True),
    b"CPSMS": Setting((), b"0", b"+CPSMS:{value}", b"+CPSMS:(0,1),,,(00000000-11111111),(00000000-11111111)"),
    b"CSCON": Setting((b"0", b"1"), b"0", b"+CSCON:{value},0", b"+CSCON:(0,1)"),
}

NCONFIG: Mapping[bytes, bytes] = {
    b"AUTOCONNECT": b"TRUE",
    b"CR_0354_0338_SCRAMBLING": b"TRUE",
    b"CR_0859_SI_AVOID": b"TRUE",
    b"COMBINE_ATTACH": b"FALSE",
    b"CELL_RESELECTION": b"FALSE",
    b"ENABLE_BIP": b"FALSE",
}

NATSPEED = Natspeed(
    bauds=(2400, 4800, 9600, 57600, 115200, 230400, 460800, 921600),
    most=7,
    read=b"+NATSPEED:{baud},2,1,0,0",
    test=b"+NATSPEED:(2400,4800,9600,57600,115200,230400,460800,921600),(0-30),(0,1),(0-3),(1,2),(0-2),(0,1)",
    deep_sleep_from=115200,
)

STATUS_BUFFER = 40  # bytes, the ending zero included: PACKAGE_SIGNATURE_OR_HASH_LACKED loses its last letter

RESTARTS: Mapping[bytes, Restart] = {b"+NRB": Restart((b"REBOOTING",), bare=True)}
"""The OK belongs to the boot banner."""


def nfwupd(*, validate_first: bool) -> Nfwupd:
    """Return the rules of AT+NFWUPD; ``validate_first``: code 2 looks into the package, and 5 needs it."""
    return Nfwupd(
        test=b"+NFWUPD:(0-5)",
        prefix=b"+NFWUPD:",
        erase=True,
        names=True,
        status=True,
        validate_first=validate_first,
        refusal_line=True,
        most=512,
        multiple=4,
        wrap=STATUS_BUFFER,
    )


def boot(greeting: bytes) -> Boot:
    """Return the start and the update of a module that ends its banner with ``greeting``.

    OneNET's screenshots of an M5310-A show two passes in an update, about 30 s in all.
    """
    return Boot(
        steps=BOOT_LINES,
        update=(*BOOT_LINES, Step(12.0, b""), *BOOT_LINES, Step(11.0, b"")),
        ending=ENDING + greeting,
        update_cause=b"REBOOT_CAUSE_SECURITY_FOTA_UPGRADE",
    )
