"""The public API's functions that do one whole thing: identify a module, flash it, update it.

They open what they need and close it again. Nothing is read from the environment or from the user's
configuration. For more control make an `atota.update.job.Job` of an `atota.settings.spec.JobSpec`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypedDict, Unpack

import msgspec

from atota.clock import Clock, Deadline, StopToken, SystemClock
from atota.journal.store import Journal
from atota.module.module import open_module
from atota.ota.base import Platform
from atota.ota.cache import Cache
from atota.ota.download import Downloader
from atota.ota.registry import Access, chosen, open_platform
from atota.settings.board import load_board
from atota.settings.spec import Allowed, JobSpec, LocalPackage
from atota.update.events import JobResult, Listener
from atota.update.job import Job
from atota.values import Identity, KeyLevel


def identify_module(
    port: str,
    *,
    baud: int | None = None,
    dialect: str | None = None,
    model: str | None = None,
    board: Path | str | None = None,
    timeout_s: float | None = None,
    stop: StopToken | None = None,
    clock: Clock | None = None,
) -> Identity:
    """Find the rate at which the module on a port talks, and read who it is.

    Args:
        port: a device name or a URL: ``/dev/ttyUSB0``, ``COM3``, ``rfc2217://…``, ``sim://BC28``…
        baud: the only rate to try, bit/s; all that the dialect knows if not given.
        dialect: a dialect's name or file; recognised by the answers if not given.
        model: the catalogue's model that this is said to be.
        board: the file that describes the bench hardware.
        timeout_s: limit for the whole.
        stop: looked at by every wait.
        clock: the time to live in, for simulated ports.

    Raises:
        LinkError: the port can't be opened.
        NoAnswer: no readable response at any rate.
        SelfUpdating: it carries out an update by itself, and is deaf; a `NoAnswer` too. `open_module` gives
            a module with the attribute ``on_update``: set to a function of the percentage (or None) and the
            line, it has ``identify`` wait for the end.
        UsageError: the dialect or the model is unknown.
        ConfigError: the board file is wrong.
        JobTimeout: the limit has passed.
        Interrupted: the stop token was set.
    """
    hardware = load_board(board) if board is not None else None
    with open_module(
        port, baud=baud, dialect=dialect, model=model, board=hardware, stop=stop, clock=clock
    ) as module:
        module.session.limit = Deadline(module.session.clock, timeout_s)
        return module.identify()


class JobOptions(TypedDict, total=False):
    """The options that `flash_module` and `update_module` share.

    Attributes:
        baud: the only rate to try, bit/s; all that the dialect knows if not given.
        dialect: a dialect's name or file; recognised by the answers if not given.
        model: the catalogue's model that this is said to be.
        board: the file that describes the bench hardware.
        sha256: the package's SHA-256, if it is known.
        transfer_baud: the rate for the transfer, bit/s; 0 never raises it; the profile's own if not given.
        timeout_s: limit for the whole job.
        reboot_timeout_s: limit for the reboot; the profile's own if not given.
        allow_unproven: accept a dialect without evidence, and a module that contradicts ``model``.
        allow_downgrade: accept a target that is older than the module's version.
        journal: the file in which the job's record is kept; none is kept if not given.
        listener: gets every event of the job as it happens (`atota.update.events`).
        stop: asks for the end; once the update has started, a second request is needed.
        clock: the time to live in, for simulated ports.
    """

    baud: int | None
    dialect: str | None
    model: str | None
    board: Path | str | None
    sha256: str | None
    transfer_baud: int | None
    timeout_s: float | None
    reboot_timeout_s: float | None
    allow_unproven: bool
    allow_downgrade: bool
    journal: Path | str | None
    listener: Listener | None
    stop: StopToken | None
    clock: Clock | None


def flash_module(
    port: str, package: Path | str, *, md5: str, target: str, **options: Unpack[JobOptions]
) -> JobResult:
    """Bring a module to ``target`` with a package that is on this machine, as ``atota flash`` does.

    Args:
        port: as for `identify_module`.
        package: the package's file.
        md5: the package's MD5, 32 hex digits.
        target: the version that the module reports after the update.
        options: see `JobOptions`.

    Returns:
        The result, good or bad: ``outcome`` says how the job ended, ``error`` why.

    Raises:
        ConfigError: the board file is wrong, or the journal cannot be used.
    """
    local = LocalPackage(Path(package), md5, target, options.get("sha256"))
    spec = msgspec.structs.replace(_spec(port, options), package=local)
    with _journal(options.get("journal")) as journal:
        return _job(spec, options, journal=journal).run()


def update_module(
    port: str,
    *,
    dev_id: str | None = None,
    product_id: str | None = None,
    access_key: str,
    device_name: str | None = None,
    user_id: str | None = None,
    key_level: KeyLevel | None = None,
    api: str | None = None,
    server: str | None = None,
    **options: Unpack[JobOptions],
) -> JobResult:
    """Bring a module to the version that the OTA platform has for it, as ``atota update`` does.

    Args:
        port: as for `identify_module`.
        dev_id: the platform's id of the device, for the API ``generic``.
        product_id: the product of the device and of the key.
        access_key: the key of the product, of the device, or of the account.
        device_name: the device's name, for ``studio`` and ``fuse``; the key is the device's own, unless
            ``key_level`` says more.
        user_id: the account that the key belongs to.
        key_level: the owner of the key: ``product``, ``device`` or ``user``.
        api: the platform's API: ``generic``, ``studio``, ``fuse``, or one that another package adds. If not
            given, the server decides, else it is ``generic``.
        server: the platform's address; the API's own if not given.
        options: see `JobOptions`; the platform lives in the machine's own time, whatever ``clock`` says.

    Returns:
        The result, good or bad: ``outcome`` says how the job ended, ``error`` why.

    Raises:
        UsageError: the API is unknown or not that of the server, or the address, the key or an id is wrong.
        ConfigError: the board file is wrong, or the journal cannot be used.
    """
    spec = msgspec.structs.replace(
        _spec(port, options), dev_id=dev_id, product_id=product_id, device_name=device_name
    )
    name, address = chosen(api, server)
    access = Access(
        server=address,
        clock=SystemClock(),
        access_key=access_key,
        product_id=product_id,
        device_name=device_name,
        user_id=user_id,
        key_level=key_level,
        stop=options.get("stop"),
    )
    with open_platform(name, access) as platform, _journal(options.get("journal")) as journal:
        downloader = Downloader(platform, access.clock, Cache())
        return _job(spec, options, journal=journal, platform=platform, downloader=downloader).run()


def _spec(port: str, options: JobOptions) -> JobSpec:
    board = options.get("board")
    return JobSpec(
        port=port,
        baud=options.get("baud"),
        dialect=options.get("dialect"),
        model=options.get("model"),
        board=None if board is None else load_board(board),
        sha256=options.get("sha256"),
        transfer_baud=options.get("transfer_baud"),
        timeout_s=options.get("timeout_s"),
        reboot_timeout_s=options.get("reboot_timeout_s"),
        allowed=Allowed(
            unproven=options.get("allow_unproven", False), downgrade=options.get("allow_downgrade", False)
        ),
    )


def _job(
    spec: JobSpec,
    options: JobOptions,
    *,
    journal: Journal | None,
    platform: Platform | None = None,
    downloader: Downloader | None = None,
) -> Job:
    return Job(
        spec,
        platform=platform,
        downloader=downloader,
        journal=journal,
        listener=options.get("listener"),
        stop=options.get("stop"),
        clock=options.get("clock"),
    )


@contextmanager
def _journal(path: Path | str | None) -> Iterator[Journal | None]:
    if path is None:
        yield None
        return
    with Journal(Path(path), clock=SystemClock()) as journal:
        yield journal
