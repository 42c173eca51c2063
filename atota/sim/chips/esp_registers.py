"""The registers of an ESP32 that tools read: eFuses, the flash controller's, clocks.

Sources: ESP32 technical reference manual v5.1, chapters "eFuse Controller" (block 0: table of its words),
"SPI Controller" (USR commands), "UART Controller"; what esptool's documentation says of chip detection.
"""

from functools import reduce

from atota.sim.chips.chip import SimChip

_MAGIC_ADDRESS, _MAGIC = 0x40001000, 0x00F01D83  # a word of the ROM that differs between chips
_EFUSE = 0x3FF5A000
_SPI = 0x3FF42000
_SPI_CMD, _SPI_USR2, _SPI_W0 = _SPI, _SPI + 0x24, _SPI + 0x80
_USR = 1 << 18
_READ_ID, _FLASH_ID = 0x9F, 0x1640EF  # W25Q32: manufacturer EF, type 40, 2**16 (hex) bytes
_UART_CLKDIV, _XTAL = 0x3FF40014, 40_000_000
_RTC_CALIBRATION = 0x3FF5F06C
_APB_DATE, _REVISION_3 = 0x3FF6607C, 1 << 31
_CK8M = 128  # with a calibration of 800 it is a crystal of 40 MHz: 800 * 15625 * 128 / 40


def _mac_crc(mac: bytes) -> int:
    """Return the CRC-8 of a MAC address (x^8 + x^5 + x^4 + 1, reflected), which stands behind it."""

    def step(crc: int, byte: int) -> int:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0x8C if crc & 1 else crc >> 1
        return crc

    return reduce(step, mac, 0)


class Registers:
    """The registers of one chip."""

    def __init__(self, chip: SimChip) -> None:
        self._chip = chip
        self._written: dict[int, int] = {}

    def efuses(self) -> list[int]:
        """Return the words of block 0."""
        has, mac = self._chip.faults.lasts, self._chip.serial
        is_release = has("encrypted-release") is not None
        crypt = 1 << 20 if has("encrypted") or is_release else 0
        no_download = 1 << 27 if has("no-download") else 0
        abs_done = (1 << 4 if has("secure-boot") else 0) | (1 << 5 if has("secure-boot-v2") else 0)
        return [
            crypt | no_download,
            int.from_bytes(mac[2:], "big"),
            int.from_bytes(mac[:2], "big") | _mac_crc(mac) << 16,
            1 << 15 | 1 << 9,  # revision bit 0; the package of an ESP32-D0WD
            _CK8M,
            1 << 20 | 1 << 24,  # revision bit 1; the minor revision 1
            abs_done | (1 << 7 if is_release else 0),
        ]

    def read(self, address: int) -> int:
        """Return a register's word."""
        if _EFUSE <= address < _EFUSE + 0x1C:
            return self.efuses()[(address - _EFUSE) // 4]
        fixed = {
            _MAGIC_ADDRESS: _MAGIC,
            _UART_CLKDIV: _XTAL // self._chip.baud,
            _RTC_CALIBRATION: 800 << 7,
            _APB_DATE: _REVISION_3,
        }
        return fixed.get(address, self._written.get(address, 0))

    def write(self, address: int, value: int, mask: int) -> None:
        """Write a register; a command for the flash is carried out at once."""
        value = self._written.get(address, 0) & ~mask | value & mask
        if address == _SPI_CMD and value & _USR:
            code = self._written.get(_SPI_USR2, 0) & 0xFF
            self._written[_SPI_W0] = _FLASH_ID if code == _READ_ID else 0
            value &= ~_USR
        self._written[address] = value & 0xFFFFFFFF
