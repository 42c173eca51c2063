"""One frozen job description: the module on one port, and the version that it is to get."""

from pathlib import Path
from typing import Any, Literal

import msgspec

from atota.errors import UsageError
from atota.settings.board import Board, board_values, require_supported
from atota.settings.kinds import serve_address
from atota.settings.table import Settings, rows
from atota.values import DeviceNaming, TaskType, checked_md5, checked_sha256, device_path


class Allowed(msgspec.Struct, frozen=True):
    """Permissions that only the user can give."""

    unproven: bool = False
    downgrade: bool = False
    any_base: bool = False
    vendor_package: bool = False
    erase: bool = False


class LocalPackage(msgspec.Struct, frozen=True):
    """A package on this machine instead of one from the platform.

    ``stands_in``: it only names the version, where a replay or a rehearsal has no platform whose task would.
    """

    path: Path
    md5: str
    target: str
    sha256: str | None = None
    stands_in: bool = False


class JobSpec(msgspec.Struct, frozen=True, kw_only=True):
    """The description of one job: the module on one port, and the version that it is to get.

    Rates in bit/s (``baud``: the only one to try; ``first_baud``: the one to begin the search with;
    ``transfer_baud`` of 0: never raise it), times in seconds. Where a value is None, `completed` takes the
    board's, and the profile decides what is still None. ``read_back``: compare what was written with the
    package, where the module can be asked for it. ``dev_id``, or ``product_id`` and ``device_name``, are the
    platform's names of the device; see `device`. ``asks_conditions``: the module is asked for its signal and
    its supply, which a task may set limits for. ``serve_url``: an address of this machine at which modules
    that fetch packages themselves can reach it. ``serial``: the number on the label of a chip that tells none
    itself. ``resume``: the run to continue; without it the target's newest one is found. ``transcript``: the
    file that the conversation is being written to, for the record; kept also if all goes well only with
    ``keeps_transcript``. ``dry_run``: end before anything is written.
    """

    port: str
    baud: int | None = None
    first_baud: int | None = None
    dialect: str | None = None
    model: str | None = None
    board: Board | None = None
    dev_id: str | None = None
    product_id: str | None = None
    device_name: str | None = None
    task_type: TaskType | None = None
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
    asks_conditions: bool = True
    read_back: bool = False
    serve_url: str | None = None
    serial: str | None = None
    resume: str | None = None
    transcript: Path | None = None
    keeps_transcript: bool = False
    dry_run: bool = False

    @property
    def command(self) -> Literal["update", "flash"]:
        """The command that does such a job."""
        return "update" if self.package is None else "flash"

    def device(self, naming: DeviceNaming) -> str:
        """Return the device's one name on the platform.

        Args:
            naming: the way in which the platform names devices.

        Raises:
            UsageError: a part of it is missing, or has characters that the platform refuses.
        """
        if naming == "id":
            if not self.dev_id:
                raise UsageError(
                    "the platform's device id is missing", hint="Give --dev-id, as the console shows it."
                )
            return self.dev_id
        if not self.product_id or not self.device_name:
            missing = "product id" if not self.product_id else "device's name"
            raise UsageError(
                f"the {missing} is missing",
                hint="Give --product-id and --device-name, as the console shows them.",
            )
        return device_path(self.product_id, self.device_name)


def checked(spec: JobSpec, naming: DeviceNaming | None) -> None:
    """Refuse, before the port is opened, what cannot be carried out.

    Args:
        spec: the job.
        naming: the way in which the platform names devices; None: it is not asked.

    Raises:
        UsageError: a digest, a block length or an address is malformed, or the platform's name of the device
            is missing or wrong.
        ConfigError: the board asks for more than this program has.
    """
    if spec.board is not None:
        require_supported(spec.board, f"board {spec.board.name}")
    local = spec.package
    if local is None and naming is not None:
        spec.device(naming)
    if local is not None:
        checked_md5(local.md5)
    if spec.block is not None and spec.block < 1:
        raise UsageError(f"a block cannot have {spec.block} bytes", hint="Leave the block length out.")
    if spec.serve_url is not None:
        try:
            serve_address(spec.serve_url)
        except ValueError as error:
            raise UsageError(str(error), hint="Example: --serve-url http://10.0.0.5:8000") from None
    for digest in (spec.sha256, local.sha256 if local is not None else None):
        if digest is not None:
            checked_sha256(digest)


def completed(spec: JobSpec) -> JobSpec:
    """Return the spec with the board's values where it has none of its own.

    This is `job_spec` for a spec that is made by hand. Doing it twice changes nothing.
    """
    given = board_values(spec.board) if spec.board is not None else {}
    allowed = Allowed(
        *(getattr(spec.allowed, name) or given.get(row, False) for name, row in _ALLOWED.items())
    )
    values = {
        name: value
        for name, value in given.items()
        if name in JobSpec.__struct_fields__ and getattr(spec, name) is None
    }
    task_type = values.pop("task_type", spec.task_type) or "fota"
    return msgspec.structs.replace(spec, **values, task_type=task_type, allowed=allowed)


def job_spec(settings: Settings, board: Board | None, *, port: str, **more: Any) -> JobSpec:
    """Return the job that the merged settings ask for.

    Args:
        settings: every setting; a field of the spec takes the setting of its own name.
        board: the board file that the settings were merged with.
        port: the port to work on.
        more: the fields of the spec that are not settings, such as ``package``, ``sha256``, ``register``.
    """
    own = rows().keys() & {*JobSpec.__struct_fields__} - {"port", "board"}
    values = {name: getattr(settings, name) for name in own}
    return JobSpec(
        **values,
        port=port,
        board=board,
        read_back=settings.verify is not None,
        allowed=Allowed(*(getattr(settings, row) for row in _ALLOWED.values())),
        **more,
    )


_ALLOWED = {
    "unproven": "allow_unproven",
    "downgrade": "allow_downgrade",
    "any_base": "any_base",
    "vendor_package": "vendor_package",
    "erase": "allow_erase",
}
"""The setting of each permission."""
