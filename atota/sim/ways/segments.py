"""The parameters of AT+NFWUPD and its relatives: code, number, length, hex and XOR8, quoted or not."""

import re

NUMBER = re.compile(rb"[0-9]{1,9}")
CRC = re.compile(rb"[0-9A-Fa-f]{2}")
LINE = re.compile(rb'\+NFWUPD="?(\d{1,9})"?(?:,"?(\d{1,9}))?', re.IGNORECASE)
_CODES = {b"0": "erase", b"2": "validate", b"5": "start"}


def unquoted(text: bytes) -> list[bytes]:
    """Split parameters at their commas and take the quotes off each."""
    return [p[1:-1] if len(p) > 1 and p[:1] == p[-1:] == b'"' else p for p in text.split(b",")]


def positions(line: bytes) -> frozenset[str]:
    """Return the fault position of a command line: the segment's number, or the name of the code."""
    match = LINE.search(line)
    if match is None:
        return frozenset()
    if match[1] != b"1":
        return frozenset({_CODES.get(match[1], "")})
    return frozenset({str(int(match[2]))} if match[2] else ())
