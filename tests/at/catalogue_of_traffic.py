"""Rows of the catalogue: URCs, prompts, data, modules, late answers. See `test_catalogue_of_edge_cases`."""

from atota.at.events import view

CGMR = (
    b"\r\nSSB,V150R100C10B200SP1\r\n\r\nSECURITY_A,V150R100C20B300SP5\r\n\r\nPROTOCOL_A,V150R100C20B300SP5\r\n"
    b"\r\nAPPLICATION_A,V150R100C20B300SP5\r\n\r\nSECURITY_B,V150R100C20B300SP5\r\n\r\nRADIO,Hi2115_RF0\r\n"
    b"\r\nOK\r\n"
)
BOOT = (
    b"\r\nREBOOTING\r\nH?\r\nBoot: Unsigned\r\nSecurity B.. Verified\r\nProtocol A.. Verified\r\n"
    b"Apps A...... Verified\r\n\r\nREBOOT_CAUSE_APPLICATION_AT\r\nNeul \r\nOK\r\n"
)
BROM = (
    b"\n\rF1: 0000 0000\n\rV0: 0000 0000 [0001]\n\r00: 0006 000C\n\r01: 0000 0000\n\rU0: 0000 0001 [0000]"
    b"\n\rT0: 0000 00B4\n\rLeaving the BROM\n\r\n\r"
)
PEM = b'%CMNG: 16842753,0,"978C","-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"'
BLOCK = b'+URDBLOCK: "response.txt",31,"HTTP/1.1 200 OK\r\nOK\r\nX: y\r\n\r\n\r\n"'


Row = tuple[str, tuple[str | bytes, ...], list[str]]

UNSOLICITED: list[Row] = [
    ("D75 glued behind the result", (">AT", b"\r\nOK\r\n\r\n+CSCON: 0\r\n"), ["F OK", "U +CSCON: 0"]),
    ("D76 without a blank line", (">AT", b"OK\r\n+CSCON:0\r\n"), ["F OK", "U +CSCON:0"]),
    (
        "D77 between information and result",
        (">AT+CSQ", b"\r\n+CSQ: 20,99\r\n\r\n+NPSMR: 1\r\n\r\nOK\r\n"),
        ["I +CSQ: 20,99", "U +NPSMR: 1", "F OK"],
    ),
    (
        "D78 before information",
        (">AT+CSQ", b"\r\n+CSCON: 1\r\n\r\n+CSQ: 20,99\r\n\r\nOK\r\n"),
        ["U +CSCON: 1", "I +CSQ: 20,99", "F OK"],
    ),
    (
        "D79 one prefix, two meanings",
        (
            ">AT+CEREG?",
            b'\r\n+CEREG: 5,"EA6D",9\r\nAT+CEREG?\r\r\n+CEREG: 2,5,"EA6D",9\r\n\r\nOK\r\n',
        ),
        [
            'U +CEREG: 5,"EA6D",9', "E AT+CEREG?", 'I +CEREG: 2,5,"EA6D",9', "F OK",
        ],
    ),
    (
        "D79 the same without an echo",
        (">AT+CEREG?", b'\r\n+CEREG: 5,"EA6D"\r\n\r\n+CEREG: 2,5\r\n\r\nOK\r\n'),
        ['U +CEREG: 5,"EA6D"', "I +CEREG: 2,5", "F OK"],
    ),
    (
        "D79 a test command answers with lists",
        (">AT+CEREG=?", b"\r\n+CEREG: (0-5)\r\n\r\nOK\r\n"),
        ["I +CEREG: (0-5)", "F OK"],
    ),
    ("D81 without a command it is unsolicited", (b"\r\n+CREG: 2,1\r\n",), ["U? +CREG: 2,1"]),
    (
        "D82 a URC of two lines inside a command",
        (
            ">AT+CSQ",
            b"\r\n+CMT: ,24\r\n07914306073011F0040581226\r\n\r\n+CSQ: 1,2\r\n\r\nOK\r\n",
        ),
        ["U +CMT: ,24 + 07914306073011F0040581226", "I +CSQ: 1,2", "F OK"],
    ),
    (
        "D83 an extra CRLF before the PDU",
        (b"\r\n+CMT: ,24\r\n\r\n07914306073011F0\r\n",),
        ["U +CMT: ,24 + 07914306073011F0"],
    ),
    ("D  a URC that lost its second line", (">AT", b"\r\n+CMT: ,24\r\n\r\nOK\r\n"), ["U +CMT: ,24", "F OK"]),
    (
        "D  a reboot where the second line was due",
        (b"\r\nREBOOTING\r\n+CMT: ,4\r\nNeul \r\n",),
        ["B REBOOTING", "U +CMT: ,4", "B Neul "],
    ),
    ("D85 no header", (b"+NNMI:4,AA11BB22\r\n",), ["U +NNMI:4,AA11BB22"]),
    ("D86 inside AT", (">AT", b"\r\n+NSONMI:0,192.0.2.7,5,4,AF\r\n"), ["U +NSONMI:0,192.0.2.7,5,4,AF"]),
    ("D87 known by its end", (b"\r\n3,CLOSED\r\n",), ["U 3,CLOSED"]),
    ("D88 its beginning was lost", (b"ECEIVE,0,12:\r\n",), ["U? ECEIVE,0,12:"]),
    ("D89 whole lines", (b"\r\nRDY\r\n\r\nAPP RDY\r\n",), ["U RDY", "U APP RDY"]),
    ("D91 no plus sign", (b"\r\nVOICE CALL: END: 000041\r\n",), ["U VOICE CALL: END: 000041"]),
    ("D92 no plus sign inside a command", (">AT+CLTS=1", b"\r\nDST: 1\r\n"), ["U DST: 1"]),
    (
        "D93 a command was written inside a URC",
        (b"\r\n+CSC", ">AT", b"ON: 1\r\n", b"AT\r\r\nOK\r\n"),
        ["U +CSCON: 1", "E AT", "F OK"],
    ),
    (
        "D93 the same, with the echo believed on",
        ("echo:=on", b"\r\n+CSC", ">AT", b"ON: 1\r\n", b"AT\r\r\nOK\r\n"),
        ["U +CSCON: 1", "E AT", "F OK"],
    ),
    (
        "D  no header, right before the echo",
        ("echo:=on", ">AT+CSQ", b"+NNMI:4,AA\r\nAT+CSQ\r\r\n+CSQ: 1,2\r\nOK\r\n"),
        ["U +NNMI:4,AA", "E AT+CSQ", "I +CSQ: 1,2", "F OK"],
    ),
    (
        "D94 names in one line",
        (">AT+CLAC", b"\r\n+CLAC:&C,&D,+CEREG,+CSCON,S0\r\n\r\nOK\r\n"),
        ["I +CLAC:&C,&D,+CEREG,+CSCON,S0", "F OK"],
    ),
    (
        "D95 names in lines of their own",
        (">AT+CLAC", b"\r\n&C\r\r\nS0\r\r\n+CEREG\r\r\n+CSCON\r\r\n\r\nOK\r\n"),
        ["I &C", "I S0", "I +CEREG", "I +CSCON", "F OK"],
    ),
    (
        "D  a longer name is another command's",
        (">AT+NSOR", b"\r\n+NSORF: 1\r\n\r\nOK\r\n"),
        ["U? +NSORF: 1", "F OK"],
    ),
]  # fmt: skip

PROMPTS: list[Row] = [
    ("E96 the blank is swallowed", (">AT+CMGS=20", b"\r\n> "), ["P >"]),
    ("E98 no blank", (">AT+CIPSEND", b"\r\n>"), ["P >"]),
    (
        "E99 right behind the echo",
        ('>AT+USECMNG=0,0,"CA",1758', b'AT+USECMNG=0,0,"CA",1758\r>'),
        ['E AT+USECMNG=0,0,"CA",1758', "P >"],
    ),
    ("E100 another sign", (">AT+USOWR=3,16", b"AT+USOWR=3,16\r@"), ["E AT+USOWR=3,16", "P @"]),
    ("E101 words", (">AT!X", b"\r\nINTERMEDIATE:>"), ["P INTERMEDIATE:>"]),
    ("E102 no prompt was due", (">AT+X", b"\r\n> \r\n\r\nOK\r\n"), ["I > ", "F OK"]),
    (
        "E104 a URC while the payload is written",
        (">AT+CMGS=20", b"\r\n> \r\n+CSCON: 1\r\n"),
        ["P >", "U +CSCON: 1"],
    ),
    ("E105 an error instead", (">AT+CMGS=20", b"\r\n+CMS ERROR: 304\r\n"), ["F CMS 304"]),
    ("E  after the error a prompt is text", (">AT+CMGS=20", b"\r\nERROR\r\n> \r\n"), ["F ERROR", "U? > "]),
    (
        "E  what came before the command is not a prompt",
        (b"\r\n>", ">AT+CMGS=20", b"x\r\n> "),
        ["I >x", "P >"],
    ),
    ("E  the prompt of an abandoned command", (">AT+CMGS=20", "!", b"\r\n> "), ["L >"]),
]

RAW: list[Row] = [
    (
        "F109 data that looks like a prompt",
        (">AT+CIPRXGET=2", b"\r\n+CIPRXGET: 2,0,2,0\r\n> \r\nOK\r\n"),
        ["I +CIPRXGET: 2,0,2,0", "D > ", "F OK"],
    ),
    (
        "F110 data that looks like lines",
        (">AT+RAW", b"\r\n+RAWDATA: 16\r\nRING\r\nabcd\x01\xffxyzp\r\nOK\r\n"),
        ["I +RAWDATA: 16", "D RING\r\nabcd\x01\\xffxyzp", "F OK"],
    ),
    (
        "F111 data in the header's own line",
        (">AT+IPD", b"\r\n+IPD,0,10:abcdefghij\r\nOK\r\n"),
        ["I +IPD,0,10:", "D abcdefghij", "F OK"],
    ),
    (
        "F112 data that is a result",
        (">AT+QIRD=1", b"\r\n+QIRD: 6\r\n\r\nOK\r\n\r\n\r\nOK\r\n"),
        ["I +QIRD: 6", "D \r\nOK\r\n", "F OK"],
    ),
    (
        "F  data that begins with LF",
        (">AT+QIRD=1", b"\r\n+QIRD: 2\r\n\n\n\r\nOK\r\n"),
        ["I +QIRD: 2", "D \n\n", "F OK"],
    ),
    ("F116 nothing there", (">AT+NSORF=0,9", b"\r\n+NSORF:\r\n\r\nOK\r\n"), ["I +NSORF:", "F OK"]),
    (
        "F  a count above the limit",
        (">AT+QIRD=1", b"\r\n+QIRD: 99999999999999999999\r\n\r\nOK\r\n"),
        ["I +QIRD: 99999999999999999999", "F OK"],
    ),
    ("F117 CONNECT opens a data phase", (">AT+QFUPL", b"\r\nCONNECT\r\n"), ["F CONNECT"]),
    ("F118 CONNECT with a rate", (">ATD1", b"\r\nCONNECT 115200\r\n"), ["F CONNECT 115200"]),
    (
        "F120 an acknowledgement of one byte",
        (">AT+QFUPL", b"\r\nCONNECT\r", "ack", b"\nA", "ack", b"A\r\n+CSCON: 1\r\n"),
        ["F CONNECT", "D A", "D A", "U +CSCON: 1"],
    ),
    (
        "F121 back to lines",
        (">AT+QFUPL", b"\r\n+QFUPL: 300000,3c5e\r\n\r\nOK\r\n"),
        ["I +QFUPL: 300000,3c5e", "F OK"],
    ),
    ("F123 OK after the escape", (">+++", b"\r\nOK\r\n"), ["F OK"]),
    (
        "F124 every byte value",
        (">AT+RAW", b"\r\n+RAWDATA: 256\r\n" + bytes(range(256)) + b"\r\nOK\r\n"),
        ["I +RAWDATA: 256", "D " + view(bytes(range(256))), "F OK"],
    ),
    ("F125 no CONNECT", (">AT+QFUPL", b"\r\nERROR\r\n"), ["F ERROR"]),
    (
        "F  abandoned in the middle of the data",
        (">AT+RAW", b"\r\n+RAWDATA: 8\r\nab", "!", b"\r\nOK\r\n\r\nOK\r\n", ">AT", b"\r\nOK\r\n"),
        ["I +RAWDATA: 8", "L ab\r\nOK\r\n", "L OK", "F OK"],
    ),
    (
        "F  a reboot in the middle of the data",
        (">AT+RAW", b"\r\n+RAWDATA: 99\r\nab", b"\r\nREBOOTING\r\n", "!", ".", b"Neul \r\n"),
        ["I +RAWDATA: 99", "L ab", "B REBOOTING", "B Neul "],
    ),
    (
        "G143 line ends inside quotes",
        (">AT+URDBLOCK", b"\r\n" + BLOCK + b"\r\nOK\r\n"),
        ["I " + view(BLOCK), "F OK"],
    ),
    ("G144 a certificate", (">AT%CMNG=2", b"\r\n" + PEM + b"\r\n\r\nOK\r\n"), ["I " + view(PEM), "F OK"]),
    (
        "G  a lost quote costs one answer only",
        (">AT%CMNG=2", b'\r\n%CMNG: "a\r\nOK\r\n', "!", ".", ">AT", b"\r\nOK\r\n"),
        ['L %CMNG: "a', "L OK", "F OK"],
    ),
]

MODULES: list[Row] = [
    (
        "H148 a version of six lines",
        (">AT+CGMR", CGMR),
        [
            "I SSB,V150R100C10B200SP1", "I SECURITY_A,V150R100C20B300SP5", "I PROTOCOL_A,V150R100C20B300SP5",
            "I APPLICATION_A,V150R100C20B300SP5", "I SECURITY_B,V150R100C20B300SP5", "I RADIO,Hi2115_RF0",
            "F OK",
        ],
    ),
    (
        "H150 a reboot by command",
        (">AT+NRB", BOOT, ">AT", b"\r\nOK\r\n"),
        [
            "B REBOOTING", "B H?", "B Boot: Unsigned", "B Security B.. Verified", "B Protocol A.. Verified",
            "B Apps A...... Verified", "B REBOOT_CAUSE_APPLICATION_AT APPLICATION_AT", "B Neul ", "B OK",
            "R APPLICATION_AT", "F OK",
        ],
    ),
    (
        "H151 another vendor's",
        (">AT+NRB", b"\r\nREBOOT_CAUSE_APPLICATION_AT\r\nu-blox \r\nOK\r\n"),
        ["B REBOOT_CAUSE_APPLICATION_AT APPLICATION_AT", "B u-blox ", "B OK", "R APPLICATION_AT"],
    ),
    (
        "H152 a reset by pin, while idle",
        (b"\r\nREBOOT_CAUSE_SECURITY_RESET_PIN\r\nNeul \r\nOK\r\n", ">AT", b"\r\nOK\r\n"),
        [
            "B REBOOT_CAUSE_SECURITY_RESET_PIN SECURITY_RESET_PIN", "B Neul ", "B OK",
            "R SECURITY_RESET_PIN", "F OK",
        ],
    ),
    (
        "H153 a boot ROM with LFCR and no OK",
        (BROM, "~"),
        [
            "B F1: 0000 0000", "B V0: 0000 0000 [0001]", "B 00: 0006 000C", "B 01: 0000 0000",
            "B U0: 0000 0001 [0000]", "B T0: 0000 00B4", "B Leaving the BROM", "R",
        ],
    ),
    (
        "H155 start-up notices",
        (b"\r\n*MATREADY: 1\r\n\r\n+CFUN: 1\r\n\r\n+CPIN: READY\r\n",),
        ["U *MATREADY: 1", "U +CFUN: 1", "U +CPIN: READY"],
    ),
    (
        "H157 a wrong rate",
        (">AT", b"\xf3\x9e\xe0\xfe\xff\x00", b"\r\nOK\r\n"),
        [r"G \xf3\x9e\xe0\xfe\xff" + "\x00", "F OK"],
    ),
    ("H158 NULs", (b"\x00" * 32, b"\r\n"), ["G " + "\x00" * 32]),
    (
        "H159 a diagnostic port",
        (b"\xff\xff\xff\xff\xff\xff\xff\xfe" * 2, b"\r\n"),
        ["G " + r"\xff" * 7, "G " + r"\xfe" + r"\xff" * 7 + r"\xfe"],
    ),
    ("H161 an unasked answer", (b"\r\n+CGMM:NB-IOT\r\n",), ["U? +CGMM:NB-IOT"]),
    (
        "H162 a list of settings",
        (
            ">AT+NCONFIG?",
            b"\r\n+NCONFIG:AUTOCONNECT,TRUE\r\n+NCONFIG:CR_0354_0338_SCRAMBLING,TRUE\r\n\r\nOK\r\n",
        ),
        ["I +NCONFIG:AUTOCONNECT,TRUE", "I +NCONFIG:CR_0354_0338_SCRAMBLING,TRUE", "F OK"],
    ),
    (
        "H163 a result that comes after OK",
        (">AT+QDNS=0,host", b"\r\nOK\r\n\r\n+QDNS:192.0.2.1\r\n\r\n+QDNS:FAIL\r\n"),
        ["F OK", "U +QDNS:192.0.2.1", "U +QDNS:FAIL"],
    ),
    (
        "H164 words without a plus sign",
        (">AT+QIDNSCFG?", b"\r\nPrimaryDns: 192.0.2.53\r\nSecondaryDns: 0.0.0.0\r\nOK\r\n"),
        ["I PrimaryDns: 192.0.2.53", "I SecondaryDns: 0.0.0.0", "F OK"],
    ),
    (
        "G142 eight-bit text",
        (">AT+COPS?", b'\r\n+COPS: 0,0,"T\xe9l\xe9com",7\r\n\r\nOK\r\n'),
        [r'I +COPS: 0,0,"T\xe9l\xe9com",7', "F OK"],
    ),
    (
        "G147 two answers in one line",
        (">ATI", b"\r\n+GMI: LG Electronics Inc.+GMM: Model:LG-LX265\r\n\r\nOK\r\n"),
        ["I +GMI: LG Electronics Inc.+GMM: Model:LG-LX265", "F OK"],
    ),
]  # fmt: skip

LATE: list[Row] = [
    (
        "I165 the IMSI is not the IMEI",
        (">AT+CIMI", "!", ">AT+CGSN", b"\r\n460111175090234\r\n\r\nOK\r\n", "in flight"),
        ["L 460111175090234", "L OK"],
    ),
    (
        "I167 an echo on receipt is not a fence",
        (
            ">AT+CIMI", "!", ">AT+CGSN",
            b"AT+CGSN\r\r\n460111175090234\r\n\r\nOK\r\n\r\n867726031076062\r\n\r\nOK\r\n",
        ),
        ["E AT+CGSN", "L 460111175090234", "L OK", "I 867726031076062", "F OK"],
    ),
    (
        "I  the late echo of the abandoned command",
        ("echo:=on", ">AT+CIMI", "!", ">AT+CGSN", b"AT+CIMI\r\r\nERROR\r\nAT+CGSN\r\r\n1\r\nOK\r\n"),
        ["L AT+CIMI", "L ERROR", "E AT+CGSN", "I 1", "F OK"],
    ),
    ("I168 a debt is paid while idle", (">AT", "!", b"\r\nOK\r\n", "owed 0"), ["L OK"]),
    (
        "I170 the deadline inside the result",
        (">AT", b"\r\nO", "!", b"K\r\n", ">AT", b"\r\nOK\r\n"),
        ["L OK", "F OK"],
    ),
    ("I171 the result first, then the deadline", (">AT", b"\r\nOK\r\n", "!", "owed 0"), ["F OK"]),
    ("I171 the deadline first, then the result", (">AT", "!", b"\r\nOK\r\n", "owed 0"), ["L OK"]),
    ("I173 a rate that changed inside the result", (">AT+IPR=9600", b"\r\nO\xfa\x9c", "in flight"), []),
    (
        "I175 a scan that was given up",
        (">AT+COPS=?", b'\r\n+COPS: (2,"A"', "!", b',,"26201",9)', b"\r\n\r\nOK\r\n", "owed 0"),
        ['L +COPS: (2,"A",,"26201",9)', "L OK"],
    ),
    (
        "I  URCs come through while a result is owed",
        (">AT+CSQ", "!", b"\r\n+CSCON: 1\r\n\r\n+CSQ: 1,2\r\n\r\nOK\r\n"),
        ["U +CSCON: 1", "L +CSQ: 1,2", "L OK"],
    ),
    (
        "I  an abandoned command's own final pays for it",
        (">AT+CIPSHUT", "!", b"\r\nSHUT OK\r\n", "owed 0"),
        ["L SHUT OK"],
    ),
    (
        "I  what was held for the echo is told when the command is given up",
        ("echo:=on", ">AT+CSQ", b"\r\n+CSCON: 1\r\n\r\n+CSQ: 1,2\r\n", "!", b"\r\nOK\r\n"),
        ["U +CSCON: 1", "L +CSQ: 1,2", "L OK"],
    ),
    ("I176 a command without a response", (">AT&K0", b"AT&K0\r\r\nOK\r\n", "owed 0"), ["E AT&K0", "L OK"]),
]  # fmt: skip

ROWS = [*UNSOLICITED, *PROMPTS, *RAW, *MODULES, *LATE]
