"""One frozen job description: the module on one port, and the version that it is to get."""

from pathlib import Path
from typing import Literal

import msgspec

from atota.errors import UsageError
from atota.settings.board import Board
from atota.values import checked_md5, checked_sha256


class Allowed(msgspec.Struct, frozen=True):
    """What the user takes on himself."""

    unproven: bool = False
    downgrade: bool = False
    any_base: bool = False
    vendor_package: bool = False


class LocalPackage(msgspec.Struct, frozen=True):
    """A package on this machine instead of one from the platform."""

    path: Path
    md5: str
    target: str
    sha256: str | None = None


class JobSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What one job is to do to the module on one port.

    Rates in bit/s (``transfer_baud`` of 0: never raise it), times in seconds. What is None is as the board
    says, else the profile, else nobody (``task_type``: ``fota``). ``read_back``: compare what was written
    with the package, where the module can be asked for it. ``serve_url``: an address of this machine at
    which modules that fetch packages themselves can reach it. ``resume``: the run to go on with; without it
    the newest one of the module is found by itself. ``transcript``: the file that the conversation is being
    written to, for the record; kept also if all goes well only with ``keeps_transcript``.
    """

    port: str
    baud: int | None = None
    dialect: str | None = None
    model: str | None = None
    board: Board | None = None
    dev_id: str | None = None
    task_type: Literal["fota", "sota"] | None = None
    fw_version: str | None = None
    expect_version: str | None = None
    package: LocalPackage | None = None
    sha256: str | None = None
    block: int | None = None
    transfer_baud: int | None = None
    timeout_s: float | None = None
    reboot_timeout_s: float | None = None
    allowed: Allowed = Allowed()
    register: bool = False
    report_refusals: bool = False
    cdn: bool = False
    read_back: bool = False
    serve_url: str | None = None
    resume: str | None = None
    transcript: Path | None = None
    keeps_transcript: bool = False

    @property
    def command(self) -> Literal["update", "flash"]:
        """What the user calls it."""
        return "update" if self.package is None else "flash"


def checked(spec: JobSpec) -> None:
    """Refuse, before the port is opened, what cannot be carried out.

    Raises:
        UsageError: a digest is none, or the platform could not know the device.
    """
    local = spec.package
    if local is None and not spec.dev_id:
        raise UsageError(
            "the platform's device id is missing", hint="Give --dev-id, as the console shows it."
        )
    if local is not None:
        checked_md5(local.md5)
    for digest in (spec.sha256, local.sha256 if local is not None else None):
        if digest is not None:
            checked_sha256(digest)


def completed(spec: JobSpec) -> JobSpec:
    """The spec with the board's values where it has none of its own."""
    board = spec.board
    if board is None:
        return msgspec.structs.replace(spec, task_type=spec.task_type or "fota")
    ota, limits = board.ota, board.limits
    downgrade = spec.allowed.downgrade or board.accept.downgrade
    vendor_package = spec.allowed.vendor_package or ota.vendor_package
    return msgspec.structs.replace(
        spec,
        model=spec.model or board.model,
        dialect=spec.dialect or board.dialect,
        dev_id=spec.dev_id or ota.dev_id,
        task_type=spec.task_type or ota.type or "fota",
        fw_version=spec.fw_version or ota.fw_version,
        transfer_baud=board.serial.transfer_baud if spec.transfer_baud is None else spec.transfer_baud,
        timeout_s=limits.timeout_s if spec.timeout_s is None else spec.timeout_s,
        reboot_timeout_s=limits.reboot_timeout_s if spec.reboot_timeout_s is None else spec.reboot_timeout_s,
        allowed=msgspec.structs.replace(spec.allowed, downgrade=downgrade, vendor_package=vendor_package),
    )
