"""The packages of Nordic's DFU (a zip with an application and its init packet), and its SLIP frames."""

import io
import zipfile
import zlib

import msgspec

from atota.errors import PackageError
from atota.files import prepared

_LARGEST = 2 * 1024 * 1024
"""Bytes of one file in the zip: the nRF52832 has 512 KiB of flash."""
END, _ESCAPE = 0xC0, 0xDB
_ESCAPED = {END: b"\xdb\xdc", _ESCAPE: b"\xdb\xdd"}


class _Entry(msgspec.Struct):
    bin_file: str
    dat_file: str


class _Manifest(msgspec.Struct):
    application: _Entry | None = None
    bootloader: _Entry | None = None
    softdevice: _Entry | None = None
    softdevice_bootloader: _Entry | None = None


class _File(msgspec.Struct):
    manifest: _Manifest


class DfuPackage(msgspec.Struct, frozen=True):
    """The application of a DFU package, and its init packet."""

    application: bytes
    init: bytes


def parse_dfu(data: bytes) -> DfuPackage:
    """Parse a DFU package.

    Raises:
        PackageError: it is not one, or it replaces more than the application.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            manifest = msgspec.json.decode(_file(archive, "manifest.json"), type=prepared(_File)).manifest
            if manifest.application is None or manifest.bootloader or manifest.softdevice:
                raise PackageError("the package is not for the application alone")
            entry = manifest.application
            package = DfuPackage(_file(archive, entry.bin_file), _file(archive, entry.dat_file))
    except (zipfile.BadZipFile, zlib.error, KeyError, NotImplementedError, msgspec.DecodeError) as error:
        raise PackageError(
            f"the package is not a DFU package of Nordic: {error}",
            hint="Make it with nrfutil: `nrfutil pkg generate --application app.hex … package.zip`.",
        ) from error
    if not package.application or not package.init:
        raise PackageError("the application or the init packet in the package is empty")
    return package


def _file(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).file_size > _LARGEST:
        raise PackageError(f"{name} in the package is larger than any flash of this chip")
    return archive.read(name)


def slip(payload: bytes) -> bytes:
    """Return a payload escaped, with the end marker behind it."""
    return b"".join(_ESCAPED.get(byte, bytes((byte,))) for byte in payload) + bytes((END,))


def unslip(frame: bytes) -> bytes:
    """Return the payload of a frame; a wrong escape is left as it is."""
    payload = frame.rstrip(b"\xc0").lstrip(b"\xc0")
    return payload.replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb")
