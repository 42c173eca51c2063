"""The update package of the simulated modules: a container that can't be taken for a real one.

Layout: text lines ended by LF, then the body::

    ATOTA SIMULATED PACKAGE 1
    sha256: <64 hex digits: of everything after this line>
    model: BC28
    from: BC28JAR01A03
    to: BC28JAR01A04
    name: BC28JAR01A03_TO_BC28JAR01A04
    size: 40960
    <empty line>
    <pseudo-random bytes that follow from the lines above>

The real layouts of HiSilicon's delta packages are not public; the checks are the ones that
the status texts of their firmware name: decodable, made for the running version, intact.
"""

import hashlib
import random
from dataclasses import dataclass

from atota.errors import UsageError

MAGIC = b"ATOTA SIMULATED PACKAGE 1\n"
GRAIN = 32  # the smallest segment length that every NFWUPD manual allows, so no package has an odd tail
_FIELDS = ("model", "from", "to", "name", "size")


@dataclass(frozen=True, slots=True)
class SimPackage:
    """The package in a simulated module's slot.

    ``intact`` is False if the digest does not fit or bytes are missing or left over.
    """

    model: str
    base: str
    target: str
    name: str
    size: int
    intact: bool


def build_package(*, model: str, base: str, target: str, size: int = 0, name: str | None = None) -> bytes:
    """Make a package that takes a simulated ``model`` from version ``base`` to ``target``.

    The same arguments give the same bytes. The length is ``size`` or the length of the header,
    rounded up to a multiple of 32.

    Raises:
        UsageError: a field holds something else than printable ASCII.
    """
    name = name or f"{base}_TO_{target}"
    for field in (model, base, target, name):
        if not field or not field.isascii() or not field.isprintable():
            raise UsageError(f"{field!r} can't stand in a simulated package: printable ASCII is needed")
    digest_line = len("sha256: \n") + 64
    total = max(size, 0)
    while True:
        total += -total % GRAIN
        head = "".join(
            f"{key}: {value}\n"
            for key, value in zip(_FIELDS, (model, base, target, name, total), strict=True)
        ).encode()
        least = len(MAGIC) + digest_line + len(head) + 1
        if least <= total:
            break
        total = least
    body = random.Random(f"{model} {base} {target} {name} {total}").randbytes(total - least)  # noqa: S311
    rest = head + b"\n" + body
    return MAGIC + b"sha256: " + hashlib.sha256(rest).hexdigest().encode() + b"\n" + rest


def read_package(data: bytes) -> SimPackage | None:
    """Decode ``data``, or return None if it can't be decoded."""
    if not data.startswith(MAGIC):
        return None
    lines = data[len(MAGIC) :].split(b"\n", 1)
    head, blank, _body = lines[-1].partition(b"\n\n")
    digest = lines[0].removeprefix(b"sha256: ")
    fields = dict(line.split(": ", 1) for line in head.decode("latin-1").split("\n") if ": " in line)
    if len(lines) != 2 or not blank or tuple(fields) != _FIELDS or not fields["size"].isdecimal():
        return None
    size = int(fields["size"])
    intact = len(data) == size and hashlib.sha256(lines[1]).hexdigest().encode() == digest
    return SimPackage(fields["model"], fields["from"], fields["to"], fields["name"], size, intact)
