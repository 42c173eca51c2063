"""A package file and what it says of itself: its format, the versions, its digests, the files beside it."""

import lzma
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from atota.errors import PackageError
from atota.ota.package import digests_of
from atota.ota.sidecar import Stated, stated_digests
from atota.sota.esp_image import CHIP_IDS, SHARED_PROJECT, parse_image
from atota.sota.nordic_package import parse_dfu
from atota.sota.smp import parse_mcuboot
from atota.update.plan import base_from_name
from atota.values import Digests

_MOST = 64 * 1024 * 1024
"""Bytes of a file that are looked into; a larger one is not a package of these families."""
_FWPKG, _XZ_AT = b"Firmware chunks", 78  # found in two samples of HiSilicon's full-flash packages


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """The words of a package's own format: its name, the versions and the part that it is made for."""

    format: str
    base: str | None = None
    target: str | None = None
    made_for: str | None = None
    notes: tuple[str, ...] = ()


Reader = Callable[[bytes], Contents | None]
"""A reader of one format; None: the bytes have another."""


class PackageReport(msgspec.Struct, frozen=True, kw_only=True):
    """A package file.

    ``base`` and ``target`` come from the ``versions_from``: the format, or the file's name.
    ``beside`` are files with digests of it, and ``fits`` says if theirs are its own.
    """

    path: str
    name: str
    format: str
    size: int
    md5: str
    sha256: str
    base: str | None = None
    target: str | None = None
    made_for: str | None = None
    versions_from: str | None = None
    beside: tuple[str, ...] = ()
    fits: bool | None = None
    notes: tuple[str, ...] = ()


def examine_package(path: Path, readers: Sequence[Reader] = ()) -> PackageReport:
    """Return what is known of a package file.

    Args:
        path: the file.
        readers: readers of further formats, which are asked first.

    Raises:
        PackageError: it is missing, or cannot be read.
        ConfigError: a file with its digest is wrong.
    """
    digests = digests_of(path)
    with path.open("rb") as file:
        data = file.read(_MOST)
    contents = next((known for read in (*readers, *_READERS) if (known := read(data)) is not None), None)
    contents = contents or Contents(format="unknown" if data else "empty")
    named = base_from_name(path.name) or (None, None)
    stated = stated_digests(path)
    notes = [*contents.notes]
    if None not in (contents.target, named[1]) and contents.target != named[1]:
        notes.append(f"the file's name says {named[1]}, and its format {contents.target}")
    has_own = contents.base is not None or contents.target is not None
    return PackageReport(
        path=str(path),
        name=path.name,
        format=contents.format,
        size=digests.size,
        md5=digests.md5,
        sha256=digests.sha256,
        base=contents.base if has_own else named[0],
        target=contents.target if has_own else named[1],
        made_for=contents.made_for,
        versions_from="format" if has_own else "name" if named[1] is not None else None,
        beside=stated.files,
        fits=_fits(stated, digests) if stated.files else None,
        notes=tuple(notes),
    )


def _fits(stated: Stated, digests: Digests) -> bool:
    return stated.md5 in (None, digests.md5) and stated.sha256 in (None, digests.sha256)


def _esp(data: bytes) -> Contents | None:
    if data[:1] != b"\xe9":
        return None
    try:
        image = parse_image(data)
    except PackageError as error:
        return Contents(format="ESP-IDF image", notes=(error.message,))
    chip = next(
        (name for name, number in CHIP_IDS.items() if number == image.chip_id), f"chip {image.chip_id}"
    )
    is_shared = image.project == SHARED_PROJECT
    notes = (f"project {image.project}", *(("signed",) if image.is_signed else ()))
    if is_shared:
        notes = (*notes, f"its version {image.version} is that of the Arduino core, not the application's")
    target = None if is_shared else image.version
    return Contents(format="ESP-IDF application", target=target, made_for=chip, notes=notes)


def _mcuboot(data: bytes) -> Contents | None:
    if data[:4] != bytes.fromhex("3db8f396"):  # MCUboot's documentation "image format": ih_magic
        return None
    try:
        image = parse_mcuboot(data)
    except PackageError as error:
        return Contents(format="MCUboot image", notes=(error.message,))
    return Contents(format="MCUboot image", target=image.version, notes=(f"hash {image.hash.hex()}",))


def _zip(data: bytes) -> Contents | None:
    if data[:4] != b"PK\x03\x04":
        return None
    try:
        dfu = parse_dfu(data)
    except PackageError:
        return Contents(format="zip archive")
    return Contents(
        format="DFU package of Nordic", notes=(f"an application of {len(dfu.application)} bytes",)
    )


def _fwpkg(data: bytes) -> Contents | None:
    if not data.startswith(_FWPKG):
        return None
    try:
        text = lzma.LZMADecompressor().decompress(data[_XZ_AT:], _MOST)
    except lzma.LZMAError:
        text = b""
    version = re.search(rb'"Version" *: *"([ -~]{1,80}?)"', text)
    return Contents(
        format="full-flash package of HiSilicon (.fwpkg)",
        target=version[1].decode() if version is not None else None,
        notes=("it is for the vendor's flash tool, and no module takes it over AT",),
    )


def _is_zip_elsewhere(data: bytes) -> Contents | None:
    """Return a self-extracting or signed archive, whose first bytes are not a zip's own."""
    return Contents(format="zip archive behind a header") if data[-22:-18] == b"PK\x05\x06" else None


_READERS: tuple[Reader, ...] = (_esp, _mcuboot, _zip, _fwpkg, _is_zip_elsewhere)
