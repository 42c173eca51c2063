"""SLIP framing (RFC 1055), as the loaders of ESP32 and nRF52 use it."""

END, ESC = b"\xc0", 0xDB


def escaped(data: bytes) -> bytes:
    """Return ``data`` with its ENDs and ESCs written as pairs."""
    return data.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc")


def framed(data: bytes) -> bytes:
    """Return a frame between two ENDs."""
    return END + escaped(data) + END


def unescaped(data: bytes) -> bytes | None:
    """Return the payload of a frame without its ENDs; None: a pair is neither of the two."""
    parts = data.split(b"\xdb")
    out = [parts[0]]
    for part in parts[1:]:
        if part[:1] not in (b"\xdc", b"\xdd"):
            return None
        out += [b"\xc0" if part[:1] == b"\xdc" else b"\xdb", part[1:]]
    return b"".join(out)
