"""Rows of the catalogue: framing, echo, results. How they are written: `test_catalogue_of_edge_cases`."""

Row = tuple[str, tuple[str | bytes, ...], list[str]]

FRAMING: list[Row] = [
    ("A1 CRLF round the result", (">AT", b"\r\nOK\r\n"), ["F OK"]),
    ("A2 echo and CRLF", (">AT", b"AT\r\r\nOK\r\n"), ["E AT", "F OK"]),
    ("A3 the echo's CR merged with the header", (">AT", b"AT\r\nOK\r\n"), ["E AT", "F OK"]),
    ("A4 no leading CRLF", (">AT", b"OK\r\n"), ["F OK"]),
    ("A5 LF only", (">AT", b"\nOK\n"), ["F OK"]),
    ("A6 a CR ends the line at once", (">AT", b"OK\r"), ["F OK"]),
    ("A7 CRCRLF", (">AT", b"\r\r\nOK\r\r\n"), ["F OK"]),
    ("A8 LFCR", (">AT", b"\n\rOK\n\r"), ["F OK"]),
    ("A9 empty lines only", (">AT", b"\r\n\r\n\r\n\r\n\r\n"), []),
    ("A10 a header that lost its CR", (">ATD*99#", b"\nNO CARRIER\r\n"), ["F NO CARRIER"]),
    ("A11 three reads", (">AT", b"\r\nO", b"K\r", b"\n"), ["F OK"]),
    (
        "A11 the late LF is not the next answer's header",
        (">AT", b"AT\r\r\nOK\r", ">AT+CSQ", b"\n+CSQ\r\r\n+CSQ: 1,2\r\nOK\r\n"),
        ["E AT", "F OK", "E~ +CSQ", "I +CSQ: 1,2", "F OK"],
    ),
    (
        "A13 trailing blanks are kept",
        (">ATI", b"\r\nManufacturer: X\r\r\nModel: CDX-650 \r\r\nOK\r\n"),
        ["I Manufacturer: X", "I Model: CDX-650 ", "F OK"],
    ),
    (
        "A14 a bare LF between information lines",
        (">AT#LWM2MMON?", b'\r\n#LWM2MMON: "4"\n#LWM2MMON: "3"\r\n\r\n\r\nOK\r\n'),
        ['I #LWM2MMON: "4"', 'I #LWM2MMON: "3"', "F OK"],
    ),
    (
        "A15 a blank line separates nothing",
        (">ATI", b"\r\nline one\r\nline two\r\n\r\nOK\r\n"),
        ["I line one", "I line two", "F OK"],
    ),
    ("A17 NULs in front", (">AT", b"\x00\x00\x00\r\nOK\r\n"), ["G \x00\x00\x00", "F OK"]),
    ("A18 a NUL inside is not a result", (">AT", b"\r\nO\x00K\r\n"), ["I O\x00K"]),
    ("A  a result with a trailing blank", (">AT", b"\r\nOK \r\n"), ["F OK "]),
]

ECHO: list[Row] = [
    (
        "B20 the echo lost its beginning",
        (">AT+CIMI", b"MI\r\r\n460111175090234\r\n\r\nOK\r\n"),
        ["E~ MI", "I 460111175090234", "F OK"],
    ),
    ("B22 a NUL in front of the echo", (">AT", b"\x00AT\r\r\nOK\r\n"), ["G \x00", "E AT", "F OK"]),
    ("B  text in front of the echo", (">AT", b"H?AT\r\r\nOK\r\n"), ["E~ H?AT", "F OK"]),
    ("B  noise in front of the echo", (">AT", b"\xf3\x9e\xe0AT\r\r\nOK\r\n"), [r"E~ \xf3\x9e\xe0AT", "F OK"]),
    ("B  half a line before the command", (b"\r\nH?", ">AT", b"AT\r\r\nOK\r\n"), ["E~ H?AT", "F OK"]),
    (
        "B23 before the echo it is unsolicited",
        (">AT+CSQ", b"\r\n+CEREG: 5\r\nAT+CSQ\r\r\n+CSQ: 20,99\r\n\r\nOK\r\n"),
        ["U +CEREG: 5", "E AT+CSQ", "I +CSQ: 20,99", "F OK"],
    ),
    (
        "B24 a URC that begins almost like the command",
        (
            ">AT+USORD=0,4",
            b'\r\n+UUSORD: 0,5\r\nAT+USORD=0,4\r\r\n+USORD: 0,4,"90030002"\r\nOK\r\n',
        ),
        ["U +UUSORD: 0,5", "E AT+USORD=0,4", 'I +USORD: 0,4,"90030002"', "F OK"],
    ),
    (
        "B26 AT twice after power-on, the first one swallowed",
        (">AT", "!", ".", ">AT", b"AT\r\r\n*MATREADY: 1\r\n\r\n+CFUN: 1\r\n\r\nAT\r\r\nOK\r\n"),
        ["E AT", "U *MATREADY: 1", "U +CFUN: 1", "E AT", "F OK"],
    ),
    ("B27 AT repeated after a timeout", (">AT", "!", ">AT", b"\r\nOK\r\n\r\nOK\r\n"), ["L OK", "F OK"]),
    ("B28 the prompt after the echo", (">AT+CMGS=20", b"AT+CMGS=20\r\r\n> "), ["E AT+CMGS=20", "P >"]),
    ("B30 ATE0 ends the echo", (">ATE0", b"ATE0\r\r\nOK\r\n", "echo off"), ["E ATE0", "F OK"]),
    (
        "B31 the echo was believed on",
        ("echo:=on", ">AT+CSQ", b"\r\n+CSQ: 20,99\r\n\r\nOK\r\n", "echo off"),
        ["I +CSQ: 20,99", "F OK"],
    ),
    (
        "B32 the echo keeps its case",
        (">at+csq", b"at+csq\r\r\n+CSQ: 20,99\r\n\r\nOK\r\n", "echo on"),
        ["E at+csq", "I +CSQ: 20,99", "F OK"],
    ),
]  # fmt: skip

RESULTS: list[Row] = [
    ("C34 CME with a number", (">AT+CFUN=9", b"\r\n+CME ERROR: 50\r\n"), ["F CME 50"]),
    ("C35 CME without a blank", (">AT+CFUN=9", b"\r\n+CME ERROR:50\r\n"), ["F CME 50"]),
    (
        "C36 CME in words",
        (">AT+CPIN?", b"\r\n+CME ERROR: SIM not inserted\r\n"),
        ["F CME 10 SIM not inserted"],
    ),
    ("C38 CME in unknown words", (">AT+X", b"\r\n+CME ERROR: raspberry\r\n"), ["F CME raspberry"]),
    ("C39 CME with a blank only", (">AT+X", b"\r\n+CME ERROR: \r\n"), ["F CME"]),
    ("C40 CME with nothing", (">AT+X", b"\r\n+CME ERROR:\r\n"), ["F CME"]),
    ("C41 CMS with a number", (">AT+CMGS=20", b"\r\n+CMS ERROR: 332\r\n"), ["F CMS 332"]),
    ("C42 CMS in words", (">AT+CMGS=20", b"\r\n+CMS ERROR: bananas\r\n"), ["F CMS bananas"]),
    ("C44 a dialect's own, with a number", (">AT+X", b"\r\nMODEM ERROR: 5\r\n"), ["F MODEM ERROR 5"]),
    ("C45 a dialect's own", (">AT+X", b"\r\nCOMMAND NOT SUPPORT\r\n"), ["F COMMAND NOT SUPPORT"]),
    ("C46 another", (">AT+X", b"\r\nTOO MANY PARAMETERS\r\n"), ["F TOO MANY PARAMETERS"]),
    ("C47 EXT", (">AT+X", b"\r\n+EXT ERROR: 3\r\n"), ["F EXT 3"]),
    ("C48 NA", (">AT+X", b"\r\nNA\r\n"), ["F NA"]),
    ("C49 FAIL", (">AT+X", b"\r\nFAIL\r\n"), ["F FAIL"]),
    ("C50 ABORTED ends a scan", (">AT+COPS=?", b"\r\nABORTED\r\n"), ["F ABORTED"]),
    ("C50 and nothing else", (">AT+CSQ", b"\r\nABORTED\r\n"), ["U? ABORTED"]),
    ("C51 busy", (">AT+X", b"\r\nbusy p...\r\n"), ["F busy p..."]),
    ("C52 V0 OK", ("V0", ">AT", b"0\r"), ["F OK 0"]),
    ("C53 V0 ERROR", ("V0", ">AT+X", b"4\r"), ["F ERROR 4"]),
    ("C54 V0 information", ("V0", ">AT+CSQ", b"+CSQ: 20,99\r\n0\r"), ["I +CSQ: 20,99", "F OK 0"]),
    ("C56 V0 extended codes stay words", ("V0", ">AT+X", b"+CME ERROR: 30\r"), ["F CME 30"]),
    ("C57 a 0 inside a line", (">AT!V0LIKE?", b"\r\n!V0LIKE: 0\r\n\r\nOK\r\n"), ["I !V0LIKE: 0", "F OK"]),
    ("C58 a 0 with V1", (">AT+CGACT?", b"\r\n0\r\n\r\nOK\r\n"), ["I 0", "F OK"]),
    (
        "C59 digits without a prefix",
        (">AT+CGSN", b"\r\n867726031076062\r\n\r\nOK\r\n"),
        ["I 867726031076062", "F OK"],
    ),
    (
        "C60 a colon without a blank",
        (">AT+CGSN=1", b"\r\n+CGSN:867726031076062\r\n\r\nOK\r\n"),
        ["I +CGSN:867726031076062", "F OK"],
    ),
    ("C61 OKI is not OK", (">ATI", b"\r\nOKI Electric\r\n\r\nOK\r\n"), ["I OKI Electric", "F OK"]),
    ("C  ERROR_LOG is not ERROR", (">ATI", b"\r\nERROR_LOG: 3\r\n\r\nOK\r\n"), ["I ERROR_LOG: 3", "F OK"]),
    ("C  CONNECTED is not CONNECT", (">ATD1", b"\r\nCONNECTED\r\n"), ["I CONNECTED"]),
    (
        "C63 ERROR inside a line",
        (">AT+NPING", b'\r\n+NPING: "ERROR: no route"\r\n\r\nOK\r\n'),
        ['I +NPING: "ERROR: no route"', "F OK"],
    ),
    (
        "C65 a connection's result is unsolicited",
        (">AT+CIPSTART", b"\r\nOK\r\n\r\n0, CONNECT OK\r\n"),
        ["F OK", "U 0, CONNECT OK"],
    ),
    ("C69 SHUT OK ends its command", (">AT+CIPSHUT", b"\r\nSHUT OK\r\n"), ["F SHUT OK"]),
    ("C69 and no other", (">AT+CSQ", b"\r\nSHUT OK\r\n"), ["U? SHUT OK"]),
    ("C70 SEND OK ends its command", (">AT+CIPSEND", b"\r\nSEND OK\r\n"), ["F SEND OK"]),
    (
        "C71 the answer goes on after OK",
        (">AT+CIPSTATUS", b"\r\nOK\r\n\r\nSTATE: IP INITIAL\r\n"),
        ["I OK", "F STATE IP INITIAL"],
    ),
    ("C72 NO CARRIER while idle", (b"\r\nNO CARRIER\r\n",), ["U NO CARRIER"]),
    (
        "C72 NO CARRIER during a query",
        (">AT+CSQ", b"\r\nNO CARRIER\r\n\r\n+CSQ: 1,2\r\n\r\nOK\r\n"),
        ["U NO CARRIER", "I +CSQ: 1,2", "F OK"],
    ),
    ("C74 BUSY ends dialling", (">ATD1", b"\r\nBUSY\r\n"), ["F BUSY"]),
]

ROWS = [*FRAMING, *ECHO, *RESULTS]
