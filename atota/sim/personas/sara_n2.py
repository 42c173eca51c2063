"""u-blox SARA-N200: Hi2110, no erase code, segments up to 256, NVM lost by the update."""

from atota.sim.persona import Natspeed, Persona, Setting
from atota.sim.personas import hi2110
from atota.sim.ways.nfwupd import Nfwupd

SARA_N200 = Persona(
    name="SARA-N200",
    aliases=("SARA-N2",),
    vendor="u-blox",
    chip="Hi2110",
    version="V100R100C10B657SP2",
    sources=(
        "u-blox SARA-N2/N3 AT manual UBX-16014887 R21, section 11.14: codes 1, 2, 5; 256 bytes; NVM lost",
        "the same, general: command line 2048, error 1650, 20 ms after a final result, space after the colon",
        "public SARA-N210 emulator: CGMR, CGMM, CLAC",
        "inferred: a code 2 that answers OK whatever is in the slot (the manual shows nothing else)",
    ),
    answers={
        b"AT": (),
        b"ATI": (b"SARA-N200-02B-00",),
        b"ATI0": (b"SARA-N200-02B-00",),
        b"ATI9": (b"06.57,A09.06",),
        b"AT+CGMI": (b"u-blox",),
        b"AT+CGMM": (b"N200-02B-00",),
        b"AT+CGMR": (
            b"SECURITY,{version}",
            b"PROTOCOL,{version}",
            b"APPLICATION,{version}",
            b"SEC_UPDATER,{version}",
            b"APP_UPDATER,{version}",
            b"RADIO,sara-N200-02B-00",
        ),
        b"AT+CGSN=1": (b"+CGSN: {imei}",),
        b"AT+CGSN=0": (b"+CGSN: {serial}",),
        b"AT+CSQ": (b"+CSQ: {csq},99",),
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
        ),
    },
    settings={
        b"CMEE": Setting((b"0", b"1"), b"0", b"+CMEE: {value}", b"+CMEE: (0,1)"),
        b"CFUN": Setting((b"0", b"1"), b"1", b"+CFUN: {value}", b"+CFUN: (0,1),(0,1)", seconds=1.5),
        b"CEREG": Setting((b"0", b"1", b"2", b"3"), b"0", b"+CEREG: {value},1", b"+CEREG: (0,1,2,3)"),
        b"NBAND": Setting((b"8",), b"8", b"+NBAND: {value}", b"+NBAND: (8)", stored=True),
        b"CPSMS": Setting((), b"0", b"+CPSMS: {value}", None),
        b"CSCON": Setting((b"0", b"1"), b"0", b"+CSCON: {value},0", b"+CSCON: (0,1)"),
    },
    nconfig=hi2110.NCONFIG,
    nconfig_line=b'+NCONFIG: "{key}","{value}"',
    natspeed=Natspeed(
        bauds=(4800, 9600, 57600, 115200),
        most=5,
        read=b"+NATSPEED: {baud},2,1",
        test=b"+NATSPEED: (4800,9600,57600,115200),(0-30),(0,1),(0-3),(1,2)",
    ),
    way=Nfwupd(
        test=b"+NFWUPD: (1-5)",
        prefix=b"+NFWUPD: ",
        erase=False,
        names=False,
        status=False,
        validate_first=True,
        refusal_line=False,
        most=256,
        validate_s=12.0,
    ),
    restarts=hi2110.RESTARTS,
    boot=hi2110.boot(b"u-blox \r\nOK\r\n", 116.0, clears_nvm=True),  # "generally takes two minutes"
    line_limit=2048,
    line_error=1650,
    guard_s=0.02,
    clac=True,
    urcs=(b"+CSCON: 1", b"+CEREG: 1", b"+CSCON: 0", b"+NPSMR: 1"),
)
