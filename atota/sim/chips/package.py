"""The packages of simulated chips, as a platform hands them out: an image, or a zip in Nordic's form."""

import io
import json
import zipfile

from atota.sim.chips import esp_image, gd32, init_packet, legacy_dfu, mcuboot, secure_dfu
from atota.sim.chips.application import build_application
from atota.sim.chips.catalogue import CHIPS
from atota.sim.chips.nordic import RAM, numbers_of


def build_chip_package(chip: str, version: str, *, protocol: str = "", size: int = 20_000) -> bytes:
    """Make the package that brings a chip of `CHIPS` to a version; the same arguments give the same bytes.

    Args:
        chip: its name.
        version: of the application.
        protocol: of its bootloader, where there are several; the first one if it is empty.
        size: bytes at least, about.
    """
    kind = protocol or CHIPS[chip].protocols[0]
    if kind == "esp32":
        return esp_image.build_image(version, size=size)
    if kind == "smp":
        return mcuboot.build_image(version, size=size)
    if kind == "nordic-secure":
        image = build_application(version, base=secure_dfu.BANK_0, size=size, ram=RAM)
        major, minor, revision = numbers_of(version)
        packet = init_packet.build_init_packet(image, major << 16 | minor << 8 | revision)
        return _zipped(image, packet)
    if kind == "nordic-legacy":
        image = build_application(version, base=legacy_dfu.BANK_0, size=size, ram=RAM)
        return _zipped(image, legacy_dfu.build_init_packet(image))
    return build_application(version, base=gd32.FLASH, size=size)


def _zipped(image: bytes, packet: bytes) -> bytes:
    """Return a zip as nrfutil and adafruit-nrfutil make it: a manifest, the image, its init packet."""
    files = {"bin_file": "app.bin", "dat_file": "app.dat"}
    manifest = {"manifest": {"application": files, "dfu_version": 0.5}}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in (
            ("manifest.json", json.dumps(manifest, indent=4).encode()),
            ("app.bin", image),
            ("app.dat", packet),
        ):
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), data)
    return out.getvalue()
