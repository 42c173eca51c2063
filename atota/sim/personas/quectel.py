"""Quectel EC21, EC25, EG25-G, EG18 (upload, then start), EC800M, EC200A (pushed behind FILESTART)."""

from dataclasses import replace

from atota.sim.boot import Boot, Step, percent_steps
from atota.sim.persona import Ipr, Persona, Restart, Setting
from atota.sim.personas import standard
from atota.sim.reply import PLAIN
from atota.sim.ways.qfota import Qfota

_RATES = (4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600)
_END = b'\r\n+QIND: "FOTA","END",%d\r\n'
_TEXTS = {
    **standard.CME_TEXTS,
    400: b"Invalid input value",
    405: b"File not found",
    407: b"File already existed",
    409: b"Fail to write the file",
    420: b"No space left",
    421: b"Time out",
}

EC21 = Persona(
    name="EC21",
    vendor="Quectel",
    chip="MDM9207",
    version="EC21EFAR06A04M4G",
    sources=(
        "Quectel EC2x&EG25-G&EG9x&EM05 FILE AT Commands Manual V1.0: QFUPL, A for each KiB, checksum",
        "Quectel EP06&EG06&EM06 DFOTA User Guide V1.0: START, UPDATING, END and its codes, plain ERROR",
        "Quectel BG96 DFOTA User Guide, p. 10: RESTORE, and the line after a power cut (for EC21: inferred)",
        "fwupd's plugin for Quectel modules: the name, the path /data/ufs/, the order, 90 s between lines",
        "inferred: the numbers of the file errors; QIND lines before RDY; how long an update lasts",
    ),
    answers={
        **standard.ANSWERS,
        b"ATI": (b"Quectel\r\nEC21\r\nRevision: {version}",),
        b"AT+CGMI": (b"Quectel",),
        b"AT+GMI": (b"Quectel",),
        b"AT+CGMM": (b"EC21",),
        b"AT+GMM": (b"EC21",),
        b"AT+CGMR": (b"{version}",),
        b"AT+GMR": (b"{version}",),
        b"AT+CGSN": (b"{imei}",),
        b"AT+GSN": (b"{imei}",),
        b"AT+CSQ": (b"+CSQ: {csq},99",),
        b"AT+CBC": (b"+CBC: 0,71,{supply}",),
    },
    settings={
        **standard.SETTINGS,
        b"IFC": Setting((b"0,0", b"2,2"), b"0,0", b"+IFC: {value}", b"+IFC: (0,2),(0,2)"),
        b"QSCLK": Setting((b"0", b"1"), b"0", b"+QSCLK: {value}", b"+QSCLK: (0,1)"),
        b"QINDCFG": Setting((), b'"all",1', b'+QINDCFG: "all",1', None),
    },
    way=Qfota(),
    restarts={b"+CFUN=1,1": Restart()},
    ipr=Ipr(_RATES, b"+IPR: (),(" + standard.listed(_RATES) + b")", stored=False),
    boot=Boot(
        steps=(Step(6.0, b""),),
        update=(Step(8.0, b'\r\n+QIND: "FOTA","START"\r\n'),),
        good=(
            *percent_steps(b'+QIND: "FOTA","UPDATING",%d', 150.0, 5)[1:],
            Step(3.0, _END % 0),
            Step(15.0, b""),
        ),
        bad=(Step(20.0, b'\r\n+QIND: "FOTA","UPDATING",5\r\n'), Step(3.0, _END % 504), Step(15.0, b"")),
        resumed=(
            Step(2.0, b'\r\n+QIND: "FOTA","Last upgrade was not finished,continue upgrade"\r\n'),
            *percent_steps(b'+QIND: "FOTA","RESTORE",%d%%', 100.0, 1)[1:],
            Step(3.0, _END % 0),
            Step(15.0, b""),
        ),
        ending=b"\r\nRDY\r\n",
        late=(
            Step(2.0, b"\r\n+CFUN: 1\r\n"),
            Step(1.0, b"\r\n+CPIN: READY\r\n"),
            Step(2.0, b"\r\n+QIND: SMS DONE\r\n"),
        ),
    ),
    baud=115200,
    supply_mv=3880,
    line_limit=1024,
    line_error=PLAIN,
    ate=True,
    echo=True,
    ignores_strays=True,
    unknown_code=PLAIN,
    value_code=PLAIN,
    refusal_code=409,
    busy_code=3,
    cme_texts=_TEXTS,
    urcs=(*standard.URCS, b'+QIND: "act","LTE"'),
)

EC25 = replace(
    EC21,
    name="EC25",
    version="EC25EFAR06A06M4G",
    version_rest=b"20.200.20.200",
    sources=(
        *EC21.sources,
        "Quectel BG96 AT Commands Manual, 2.26: AT+QGMR, the versions of modem and application",
        "public BG95 driver: AT+CGMR prints only the first part of it; inferred: the same on EC25",
        "field log of an EC25: QFOTADL, OK, then END,505 without a reboot",
    ),
    answers={
        **EC21.answers,
        b"ATI": (b"Quectel\r\nEC25\r\nRevision: {short}",),
        b"AT+CGMM": (b"EC25",),
        b"AT+GMM": (b"EC25",),
        b"AT+CGMR": (b"{short}",),
        b"AT+GMR": (b"{short}",),
        b"AT+QGMR": (b"{short}_{rest}",),
        b"AT+CSUB": (b"SubEdition: V03",),
    },
)

EC800M = replace(
    EC21,
    name="EC800M",
    chip="EC718",
    version="EC800MCNLAR06A03M08",
    sources=(
        "a sample of Quectel's for a Cat.1 module (2024): QINDCFG, IFC, FILE:<size>, FILESTART to FILEEND",
        "the same: START, UPDATING, END, RDY; the version is line 2 of QGMR, CSUB",
        "inferred: OK before FILESTART, FILEEND of 1 after 30 s without bytes, each 5 %, the chip",
    ),
    answers={
        **EC21.answers,
        b"ATI": (b"Quectel\r\nEC800M\r\nRevision: {short}",),
        b"AT+CGMM": (b"EC800M",),
        b"AT+GMM": (b"EC800M",),
        b"AT+CGMR": (b"{short}",),
        b"AT+GMR": (b"{short}",),
        b"AT+QGMR": (b"{short}",),
        b"AT+CSUB": (b"SubEdition: {rest}",),
    },
    version_rest=b"V01",
    way=Qfota(files=False, push=True),
)

EG25 = replace(
    EC21,
    name="EG25",
    aliases=("EG25-G",),
    version="EG25GGBR07A08M2G",
    version_rest=b"30.203.30.203",
    sources=(
        "public outputs of an EG25-G: ATI with EG25 and EG25GGBR07A08M2G, QGMR with _30.203.30.203",
        "Quectel EC2x&EG25-G&EG9x&EM05 FILE AT Commands Manual V1.0: QFUPL, A for each KiB, checksum",
        "public firmware of an LTE router: AT+QFOTADL with /data/ufs/",
        "inferred: as on the EC21: errors, boot text, how long an update lasts",
    ),
    answers={
        **EC21.answers,
        b"ATI": (b"Quectel\r\nEG25\r\nRevision: {short}",),
        b"AT+CGMM": (b"EG25",),
        b"AT+GMM": (b"EG25",),
        b"AT+QGMR": (b"{short}_{rest}",),
    },
)

BG95 = replace(
    EC21,
    name="BG95",
    aliases=("BG95-M3",),
    chip="MDM9205",
    version="BG95M3LAR02A03",
    version_rest=b"01.012.01.012",
    sources=(
        "a public log of a BG95-M3's update: ATI and CGMR print BG95M3LAR02A03 before and after it",
        "the same: only QGMR moves, from _01.012.01.012 to _01.204.01.204",
        "inferred: as on the EC21: QFUPL, QFOTADL with /data/ufs/, errors, boot text, times",
    ),
    answers={
        **EC21.answers,
        b"ATI": (b"Quectel\r\nBG95-M3\r\nRevision: {short}",),
        b"AT+CGMM": (b"BG95-M3",),
        b"AT+GMM": (b"BG95-M3",),
        b"AT+CGMR": (b"{short}",),
        b"AT+GMR": (b"{short}",),
        b"AT+QGMR": (b"{short}_{rest}",),
    },
)

EG18 = replace(
    EC21,
    name="EG18",
    aliases=("EG18-EA",),
    chip="MDM9x50",
    version="EG18EAPAR01A12M4G",
    version_rest=b"01.001.01.001",
    sources=(
        "public notes on the update of an EG18-EA: ATI, QGMR, CSUB, QFLST, /cache/ufs/, UPDATING from 0 on",
        "the same: the port goes away behind OK; 10 to 20 minutes, and 30 to 60 s for the reboot",
        "inferred: as on the EC21: QFUPL, errors, END 504",
    ),
    answers={
        **EC21.answers,
        b"ATI": (b"Quectel\r\nEG18\r\nRevision: {short}",),
        b"AT+CGMM": (b"EG18",),
        b"AT+GMM": (b"EG18",),
        b"AT+QGMR": (b"{short}_{rest}",),
        b"AT+CSUB": (b"SubEdition: V01",),
    },
    way=Qfota(folder=b"/cache/ufs/", capacity=64 * 1024 * 1024),
    boot=replace(
        EC21.boot,
        good=(
            *percent_steps(b'+QIND: "FOTA","UPDATING",%d', 720.0, 2),
            Step(3.0, _END % 0),
            Step(40.0, b""),
        ),
    ),
)

EC200A = replace(
    EC800M,
    name="EC200A",
    aliases=("EC200A-CN",),
    chip="ASR1803",
    version="EC200ACNHAR01A02M16",
    sources=(
        "Quectel LTE Standard(A) DFOTA upgrade guide V1.5: FILE, FILESTART to FILEEND, UPDATING, END, codes",
        "a sample of Quectel's for a Cat.1 module (2024): QINDCFG, IFC, RDY",
        "inferred: OK before FILESTART, FILEEND of 500 after 30 s without bytes, UPDATING of eight each",
    ),
    answers={
        **EC800M.answers,
        b"ATI": (b"Quectel\r\nEC200A\r\nRevision: {short}",),
        b"AT+CGMM": (b"EC200A",),
        b"AT+GMM": (b"EC200A",),
    },
    way=Qfota(files=False, push=True, broken=500),
    boot=replace(
        EC21.boot,
        good=(
            *percent_steps(b'+QIND: "FOTA","UPDATING",%d', 150.0, 8)[1:],
            Step(3.0, _END % 0),
            Step(15.0, b""),
        ),
    ),
)
