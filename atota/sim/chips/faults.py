"""The faults of simulated chips. Their syntax is that of `atota.sim.faults`.

A *position* (``POS``) is one of

- ``12``: the piece number 12 of the image, from 0: how many pieces the loader has taken since its start;
- ``c7``: the seventh command that a loader took, from 1; a sync or a ping counts;
- the name of a command in the words of its document: ``sync``, ``get``, ``get-id``, ``read``, ``write``,
  ``erase``, ``go``, ``unprotect`` (AN3155); ``begin``, ``data``, ``end``, ``md5``, ``attach``, ``baud``,
  ``read-reg``, ``read-flash`` (ESP32's ROM); ``ping``, ``select``, ``create``, ``execute``, ``crc`` (Nordic's
  secure DFU); ``start``, ``init``, ``data``, ``stop`` (legacy DFU); ``echo``, ``reset``, ``params``,
  ``state``, ``upload`` (SMP).
"""

from atota.sim.faults import BYTE_FAULTS, FaultTable

CHIP_FAULTS = FaultTable.of(
    (
        *BYTE_FAULTS,
        ("mute", "never a byte in or out, whatever is done"),
        ("mute-after:COMMANDS", "after so many commands never a byte in or out, whatever is done"),
        ("silent-at:POS", "from this command on neither a byte in nor out, until a reset"),
        ("unplug-at:POS", "the adapter is pulled out when this command has arrived"),
        ("lose-command:POS[:TIMES]", "the command is not heard: no effect, no reply"),
        ("lose-reply:POS[:TIMES]", "the command is carried out, its last acknowledgement is never sent"),
        ("late-reply:POS:SECONDS", "the last acknowledgement comes SECONDS later"),
        ("nack:POS[:TIMES]", "the loader refuses the command and does nothing"),
        ("reset-at:POS", "the chip resets instead of carrying the command out"),
        ("power-cut:BYTE", "the supply fails when the flash has taken BYTE bytes, and comes back"),
        ("cut-erase[:TIMES]", "the supply fails half-way through an erase, and comes back"),
        ("flip-flash:BYTE", "a bad cell: one bit of byte number BYTE that the flash takes is stored wrong"),
        ("ignore-writes[:TIMES]", "a clone: writes are acknowledged and not stored (always, without TIMES)"),
        ("protected", "GD32: read-out protection is on"),
        ("no-mass-erase", "GD32: a mass erase is refused"),
        ("boot-mode", "the boot pin is not connected: every reset starts the application"),
        ("no-reset", "the reset pin is not connected"),
        ("old-app", "everything is taken, verified and acknowledged, and the old application starts"),
        ("dead-app", "a new application starts and hangs without a word"),
        ("quiet-app", "the application prints nothing by itself"),
        ("boot-garbage", "the chip is just being powered on when the port is opened"),
        ("encrypted", "ESP32: flash encryption is on, in development mode (FLASH_CRYPT_CNT is 1)"),
        ("encrypted-release", "ESP32: flash encryption is on, in release mode (and DISABLE_DL_ENCRYPT)"),
        ("secure-boot", "ESP32: secure boot V1 is on (ABS_DONE_0)"),
        (
            "secure-boot-v2",
            "ESP32: secure boot V2 is on (ABS_DONE_1): an unsigned application is not started",
        ),
        ("no-download", "ESP32: the UART download mode is off for good (UART_DOWNLOAD_DIS)"),
        ("corrupt-otadata", "ESP32: both entries of otadata have a wrong CRC"),
        ("stale-otadata", "ESP32: the older entry of otadata carries the state ABORTED"),
        ("factory-only", "ESP32: the partition table has one application and no otadata"),
        ("no-table", "ESP32: there is no partition table at 0x8000"),
        ("old-recovery", "nrf52832: an MCUboot without the command for its parameters"),
        ("no-version", "nrf52832: a secure DFU bootloader built without the firmware version command"),
    ),
    always=("ignore-writes",),
    position=r"[0-9]+|c[1-9][0-9]*|[a-z][a-z0-9-]*",
    positions="12, c7, write, erase, state",
)
