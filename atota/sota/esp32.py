"""ESP32 and its sisters: esptool writes, and atota decides where, and if at all.

esptool checks that its bytes arrived (MD5 over the flash) but not that they belong there: version 5.6.0
writes the image of another chip, random bytes, or plain text onto an encrypted chip, and ends with 0. So the
package is checked here, the fuses are read first, and the slot that does not boot is chosen from the
partition table.
The steps::

    connect    esptool read-flash TABLE                  the chip answers
    inspect    espefuse summary; esptool read-flash OTADATA
    write      esptool write-flash SLOT package          ends with "Hash of data verified."
    activate   esptool write-flash ENTRY sector          one new entry in the other sector
"""

import json
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from atota.errors import NoAnswer, PackageError, RebootTimeout, Refused, SlotLost
from atota.settings.spec import Allowed
from atota.sota.esp_image import (
    CHIP_IDS,
    SHARED_PROJECT,
    TABLE_SIZE,
    Plan,
    otadata,
    parse_image,
    parse_selections,
    parse_table,
    plan,
    selection_sector,
)
from atota.sota.esptool import command_of, fatal, installed_version, reset_config, version_problem
from atota.sota.flasher import INTACT, Flasher, Progress
from atota.sota.lending import is_device, lent_port
from atota.sota.profile import profile_of
from atota.sota.program import Ear, Ended, run_program
from atota.values import Refusal

_FAST = 460800
"""The usual rate of a write; many bridges and cables fail above it (esp-serial-flasher #79)."""
_SLOW = 115200
_SECTOR_2 = 0x2000
_PERCENT = r"Writing at 0x[0-9a-f]+.*?([0-9.]+)%"
_VERIFIED = "Hash of data verified."
_MISMATCH = "MD5 of file does not match"
_BUTTONS = (
    "Hold BOOT, press RESET, let BOOT go, then run again; or name the lines in [chip] enter of the board."
)
_BOOTED = r"Loaded app from partition at offset (0x[0-9a-fA-F]+)"


class Esp32(Flasher):
    """The flasher of ESP-IDF applications."""

    _plan: Plan | None = None
    _is_signed = False
    _is_verified = False
    _failures = 0
    _other_chip = ""

    @property
    def overwrites(self) -> bool:
        """True if the chip has one place for an application only."""
        return self._plan is not None and self._plan.overwrites

    @property
    def old_slot_pattern(self) -> tuple[str, str] | None:
        """Return the pattern of the bootloader's own words for the slot that it boots."""
        return (_BOOTED, f"0x{self._plan.partition.offset:x}") if self._plan is not None else None

    def unfit(self) -> Refusal | None:
        """Return why esptool cannot be run."""
        problem = version_problem()
        if problem is None:
            return None
        return Refusal(problem, "Install it with: pip install 'atota[esp32]'. Nothing was changed.")

    def tools(self) -> str:
        """Return esptool and its version."""
        return f"esptool {installed_version() or ''}".strip()

    def check(self, data: bytes, version: str) -> None:
        """Refuse what is not a whole application of this chip with this version."""
        image = parse_image(data)
        variant = self.chip.variant or "esp32"
        if image.chip_id != CHIP_IDS.get(variant):
            name = next((name for name, one in CHIP_IDS.items() if one == image.chip_id), f"{image.chip_id}")
            raise PackageError(
                f"the package was built for the chip {name}, and the board has an {variant}",
                hint="Have the operator upload the image of this chip, or name variant in [chip].",
            )
        self._is_signed = image.is_signed
        if image.project == SHARED_PROJECT:
            if self.chip.version == profile_of("esp32").version:
                raise Refused(
                    "all Arduino builds print the same version when they boot, so an update could not be "
                    "told from a failure",
                    hint="Name version in [chip] of the board file: a request or a banner of your own.",
                )
        elif image.version != version:
            raise PackageError(
                f"the package says that it holds version {image.version!r}, and not {version}",
                hint="Upload the build of that version, or give --expect-version as the build calls itself.",
            )

    # -- the chip ------------------------------------------------------------------------------

    def connect(self) -> None:
        """Read the partition table: the chip's bootloader answers, or it does not."""
        try:
            self._table_bytes = self._read(self.chip.table or 0x8000, TABLE_SIZE)
        except SlotLost as failure:
            raise NoAnswer(failure.message, hint=failure.hint) from failure

    def inspect(self, data: bytes, allowed: Allowed) -> None:  # noqa: ARG002 - nothing is permitted here
        """Read the fuses, choose the slot, and see that the package fits."""
        self._refuse_protection()
        table = parse_table(self._table_bytes, self.chip.table or 0x8000)
        partition = otadata(table)
        selections = (
            parse_selections(self._read(partition.offset, _SECTOR_2)) if partition is not None else ()
        )
        self._plan = chosen = plan(table, selections)
        slot = chosen.partition
        if len(data) > slot.size:
            raise PackageError(
                f"the package has {len(data)} bytes, and the slot {slot.label} only {slot.size}"
            )
        self.note(f"writing into {slot.label} at 0x{slot.offset:x}")
        if chosen.overwrites:
            self.note("the chip has one place for an application only: a cut needs another run")

    def _refuse_protection(self) -> None:
        """Refuse a chip with flash encryption, or with secure boot and an unsigned package."""
        fuses = self._fuses()
        count = fuses.get("FLASH_CRYPT_CNT", fuses.get("SPI_BOOT_CRYPT_CNT", 0))
        if _is_odd(count):
            raise Refused(
                "the chip's flash is encrypted: plain bytes would not boot",
                hint="Update it over the air, from its own application.",
            )
        has_secure_boot = any(
            fuses.get(name) in (True, 1, "1") for name in ("ABS_DONE_0", "ABS_DONE_1", "SECURE_BOOT_EN")
        )
        if has_secure_boot and not (self.chip.secure_boot == "signed" and self._is_signed):
            raise Refused(
                "the chip has secure boot, and would not start an unsigned application",
                hint='Sign the package, and set secure_boot = "signed" in [chip] of the board file.',
            )

    def _fuses(self) -> dict[str, Any]:
        """Return the chip's fuses.

        Raises:
            NoAnswer: espefuse failed.
            Refused: its report cannot be read.
        """
        with tempfile.TemporaryDirectory(prefix="atota-") as folder:
            file = Path(folder) / "fuses.json"
            ended = self._run("espefuse", ("summary", "--format", "json", "--file", str(file)), speed=None)
            try:
                rows = json.loads(file.read_bytes())
                return {name: row["value"] for name, row in rows.items()}
            except (OSError, ValueError, TypeError, KeyError, AttributeError):
                problem = f"the chip's fuses cannot be read: {fatal(ended)}"
            if ended.code:  # the bytes of its call were lost: no word about the chip
                raise NoAnswer(problem, hint=_BUTTONS)
            raise Refused(problem, hint="Run `espefuse summary` by hand to see why.")

    # -- the flash -----------------------------------------------------------------------------

    def write(self, package: Path, data: bytes, on_progress: Progress) -> None:
        """Write the package into its slot; esptool compares the flash by MD5."""
        self._package, self._is_verified = package, False
        self.has_erased = True

        def on_percent(percent: float) -> None:
            on_progress(min(len(data), int(len(data) * percent / 100)), len(data))

        self._is_verified = self._write(self._chosen.partition.offset, data, on_percent)
        on_progress(len(data), len(data))

    def validate(self) -> None:
        """Have the chip compute the digest of its flash, where the write did not say that it did.

        Raises:
            WriteFailed: it did not.
        """
        if not self._is_verified:
            raise self.failure(f"esptool did not say {_VERIFIED!r}: the flash may hold something else")

    def activate(self) -> None:
        """Write the one entry that selects the new slot."""
        selection = self._chosen.selection
        if selection is None:
            return
        address, sequence = selection
        if not self._write(address, selection_sector(sequence), lambda _: None):
            raise self.failure("esptool did not verify the entry that selects the new slot")

    @property
    def _chosen(self) -> Plan:
        if self._plan is None:
            raise AssertionError("inspect comes first")
        return self._plan

    def _write(self, address: int, data: bytes, on_percent: Callable[[float], None]) -> bool:
        """Write bytes; True if the chip's own digest of them fits."""
        with tempfile.TemporaryDirectory(prefix="atota-") as folder:
            file = Path(folder) / "write.bin"
            file.write_bytes(data)
            words = ("write-flash", f"0x{address:x}", str(file))
            ended = self._run("esptool", words, speed=_FAST, on_percent=on_percent)
        if ended.code == 0:
            return _VERIFIED in ended.text
        reason = fatal(ended)
        self._failures += 1
        if _MISMATCH in reason and self._failures > 1:
            problem = f"the flash does not hold the written bytes, also at {_SLOW} bit/s: {reason}"
            raise self.failure(problem, ended.last_lines)
        raise SlotLost(f"esptool: {reason}", hint=self.failure("").hint, tried=ended.last_lines)

    def _read(self, address: int, size: int) -> bytes:
        with tempfile.TemporaryDirectory(prefix="atota-") as folder:
            file = Path(folder) / "read.bin"
            words = ("read-flash", f"0x{address:x}", f"0x{size:x}", str(file))
            ended = self._run("esptool", words, speed=_SLOW)
            data = file.read_bytes() if file.is_file() else b""
        reason = fatal(ended)
        if (match := re.search(r"chip is .*, not", reason)) is not None and self._is_said_twice(match[0]):
            raise Refused(f"esptool: {reason}", hint="Name the right variant in [chip] of the board file.")
        if ended.code != 0 or len(data) != size:
            raise SlotLost(f"esptool: {reason}", hint=_BUTTONS if "onnect" in reason else INTACT)
        return data

    def _is_said_twice(self, words: str) -> bool:
        """True if the chip called itself another one before: noise on the wire may do it once."""
        before, self._other_chip = self._other_chip, words
        return before == words

    def _run(
        self,
        program: str,
        words: tuple[str, ...],
        *,
        speed: int | None,
        on_percent: Callable[[float], None] = lambda _: None,
    ) -> Ended:
        """Run one call on the lent port; the chip stays in its bootloader.

        Raises:
            NoAnswer: a call that only reads was killed at its limit.
            RebootTimeout: a call that writes was.
        """
        command = command_of(program)
        if command is None:
            raise Refused("esptool is not installed", hint="Install it with: pip install 'atota[esp32]'")
        is_local = is_device(self.wire.port)
        before = "default-reset" if is_local and self.wire.has_lines else "no-reset"
        if not is_local and self.wire.has_lines:
            # esptool's own soft reset at the end of each call need not land in the bootloader.
            self.wire.drive(self.chip.enter or ())
        rate = _SLOW if self._failures else self.transfer_baud or speed
        with tempfile.TemporaryDirectory(prefix="atota-") as name, lent_port(self.wire, urls=True) as port:
            config = Path(name) / "esptool.cfg"
            config.write_text(reset_config(self.chip.enter or ()), encoding="utf-8")
            empty = Path(name) / "empty"
            empty.mkdir()
            options = ["--chip", self.chip.variant or "esp32", "--port", port, "--before", before]
            if program == "esptool":
                options += ["--after", "no-reset", "--connect-attempts", "3"]
                options += ["--baud", f"{rate}"] if is_local and rate is not None else []
            try:
                return run_program(
                    [*command, *options, *words],
                    folder=empty,
                    limit_s=self.chip.limit_s or 300.0,
                    quiet_s=self.chip.quiet_s or 60.0,
                    check=self.wire.check,
                    on_line=Ear(program, self.on_line, _PERCENT, on_percent),
                    more={"ESPTOOL_CFGFILE": str(config)},
                )
            except RebootTimeout as killed:
                if words[0] == "write-flash":
                    raise
                raise NoAnswer(killed.message, hint=_BUTTONS) from killed


def _is_odd(count: object) -> bool:
    """True if a fuse counter says that encryption is on: an odd number of its bits is set."""
    if isinstance(count, str):
        return (count.isdigit() and int(count).bit_count() % 2 == 1) or count.lower().startswith("enable")
    return isinstance(count, int) and count.bit_count() % 2 == 1
