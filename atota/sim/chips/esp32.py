r"""An ESP32 module with 4 MB of flash: eFuses, the two bootloaders, the log on UART0.

Sources: ESP32 technical reference manual v5.1, chapter "eFuse Controller" (words of block 0), datasheet v4.5,
table "Boot mode" (GPIO0); ESP-IDF guide v5.1, "Bootloader" and "Application startup flow" for the log::

    rst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)
    I (61) boot: Loaded app from partition at offset 0x10000
    I (133) app_init: App version:      V1.0.0

The loader in ROM is `atota.sim.chips.esp_rom`. With flash encryption, cells hold other bytes than the boot
reads; plain bytes that a loader wrote are garbage for it.
"""

import hashlib
from typing import ClassVar

from atota.sim.chips import esp_image, esp_rom
from atota.sim.chips.application import answer
from atota.sim.chips.chip import Program, SimChip
from atota.sim.chips.memory import ChipFlash

FLASH_SIZE = 4 * 1024 * 1024
_BOOTLOADER = 0x1000
_PIECE = 32  # bytes that are encrypted together


class Esp32(SimChip):
    """An ESP32 module. ``slot``: the partition whose application runs; empty while none does."""

    parts: ClassVar[tuple[str, ...]] = ("ESP32-D0WD-V3",)
    protocols: ClassVar[tuple[str, ...]] = ("esp32",)
    fifo = 128
    start_s = 0.01

    def factory(self) -> ChipFlash:
        """Return its flash: bootloader, partition table, otadata and one application."""
        self.slot = ""
        kinds = ("encrypted", "encrypted-release")
        self.is_encrypted = any(self.faults.lasts(kind) is not None for kind in kinds)
        self.needs_signature = self.faults.lasts("secure-boot-v2") is not None
        flash = ChipFlash(0, FLASH_SIZE, esp_image.SECTOR, 1, "and", self.faults, self.tell)
        bootloader = esp_image.build_image("boot", descriptor=False)
        is_single = self.faults.lasts("factory-only") is not None
        table = esp_image.FACTORY_ONLY if is_single else esp_image.TWO_SLOTS
        image = self.options.image or esp_image.build_image(self.options.version, signed=self.needs_signature)
        contents = {_BOOTLOADER: bootloader, 0x10000: image}
        if not self.faults.lasts("no-table"):
            contents[esp_image.TABLE] = esp_image.build_table(table)
        if not is_single:
            contents[0xD000], contents[0xE000] = self._otadata()
        for address, data in contents.items():
            flash.load(address, self.ciphered(address, data))
        return flash

    def _otadata(self) -> tuple[bytes, bytes]:
        if self.faults.lasts("corrupt-otadata"):
            return esp_image.build_entry(1, crc=1), esp_image.build_entry(2, crc=2)
        empty = b"\xff" * esp_image.SECTOR
        stale = self.faults.lasts("stale-otadata") is not None
        second = esp_image.build_entry(2, esp_image.ABORTED) if stale else empty
        return esp_image.build_entry(1), second

    def ciphered(self, address: int, data: bytes) -> bytes:
        """Return the cells' bytes for bytes that the boot reads, and the other way round."""
        if not self.is_encrypted:
            return data
        out = bytearray()
        for start in range(0, len(data), _PIECE):
            piece = data[start : start + _PIECE]
            key = hashlib.sha256(b"flash key" + (address + start).to_bytes(4, "little")).digest()
            out += bytes(a ^ b for a, b in zip(piece, key, strict=False))
        return bytes(out)

    def view(self, address: int, length: int) -> bytes:
        """Return the bytes that the boot reads."""
        return self.ciphered(address, self.flash.read(address, length))

    # --- the boot ------------------------------------------------------------------------------------

    def boot(self) -> Program:
        """Print the cause and the boot mode, then run the loader in ROM or the bootloader in flash."""
        self.set_uart(115200)
        self.slot = ""
        is_loader = self.may_load and not self.faults.lasts("no-download")
        mode = "0x3 (DOWNLOAD_BOOT(UART0/UART1/SDIO_REI_REO_V2))"
        shown = mode if is_loader else "0x13 (SPI_FAST_FLASH_BOOT)"
        self.say(f"ets Jul 29 2019 12:21:46\r\n\r\nrst:0x1 (POWERON_RESET),boot:{shown}\r\n".encode())
        if not is_loader:
            return "app"
        self.say(b"waiting for download\r\n")
        self.enter("loader")
        return (yield from esp_rom.run(self))

    def application(self) -> str | None:
        """Return the version of the application that the bootloader would start."""
        start = self._find()
        return start[1] if start else None

    def _find(self) -> tuple[esp_image.Partition, str] | None:
        """Return the partition that the bootloader starts, and its version."""
        bootloader = esp_image.judge_image(self.view(_BOOTLOADER, 0x7000))
        table = esp_image.read_table(self.view(esp_image.TABLE, 0xC00))
        if bootloader.refusal or not table:
            return None
        slots = sorted(
            (one for one in table if one.kind == esp_image.APP and one.sub >= esp_image.OTA_0),
            key=lambda one: one.sub,
        )
        factory = [one for one in table if (one.kind, one.sub) == (esp_image.APP, esp_image.FACTORY)]
        order = factory + slots
        otadata = [one for one in table if (one.kind, one.sub) == (esp_image.DATA, esp_image.OTADATA)]
        if otadata and slots:
            number = esp_image.chosen_slot(self.view(otadata[0].offset, otadata[0].size), len(slots))
            if number is not None:
                order = [slots[number], *(one for one in order if one != slots[number])]
        for one in order:
            verdict = esp_image.judge_image(
                self.view(one.offset, one.size), needs_signature=self.needs_signature
            )
            if not verdict.refusal:
                return one, verdict.version
        return None

    def run_application(self, version: str) -> Program:
        """Print the log of a start, then answer ``AT+VER``."""
        start = self._find()
        assert start is not None
        self.slot, offset = start[0].label, start[0].offset
        if version != start[1]:  # the fault old-app
            self.slot, offset = "ota_0", 0x10000
        yield 0.06
        if not self.faults.lasts("quiet-app"):
            for line in (
                "I (29) boot: ESP-IDF v5.1.2 2nd stage bootloader",
                f"I (61) boot: Loaded app from partition at offset {offset:#x}",
                "I (62) boot: Disabling RNG early entropy source...",
                "I (74) cpu_start: Multicore app",
                "I (133) app_init: Application information:",
                "I (135) app_init: Project name:     simulated",
                f"I (137) app_init: App version:      {version}",
                "I (150) main_task: Calling app_main()",
            ):
                self.say(f"{line}\r\n".encode())
        while True:
            self.say(answer((yield b"\r"), version))
