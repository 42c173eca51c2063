"""The seam between a job and an OTA platform: the calls of a job, in words that no API owns.

`atota.update` knows platforms by this file alone. An API of OneNET is one file in `atota.ota.onenet`, over
`atota.ota.http`; another platform may be another package (`atota.ota.registry`). A platform translates
its own numbers into `StepResult`, and states its differences in `Capabilities`.
"""

import enum
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol, Self

import msgspec

from atota.clock import Clock, StopToken
from atota.ota.secrets import MASK
from atota.values import DeviceNaming, KeyLevel, TaskType

Kind = Literal["full", "delta"]

OnWait = Callable[[str, float], None]
"""Receives the reason and the length in seconds of a wait, before it begins."""

OnProgress = Callable[[int, int], None]
"""Receives bytes done and bytes in all; done may decrease when a download starts again."""


class Status(enum.IntEnum):
    """The result of a step of the update, by OneNET's numbers (platform page "report status").

    Records and queued reports hold these numbers. A platform that has others translates them.
    """

    DOWNLOADED = 101
    DOWNLOAD_NO_SPACE = 102
    DOWNLOAD_NO_MEMORY = 103
    DOWNLOAD_TIMEOUT = 104
    DOWNLOAD_LOW_BATTERY = 105
    DOWNLOAD_POOR_SIGNAL = 106
    DOWNLOAD_UNKNOWN = 107
    UPGRADED = 201
    UPGRADE_LOW_BATTERY = 202
    UPGRADE_NO_MEMORY = 203
    UPGRADE_MISMATCH = 204
    UPGRADE_MD5 = 205
    UPGRADE_UNKNOWN = 206
    UPGRADE_RETRIES = 207
    UPGRADE_EXPIRED = 208

    @property
    def sentence(self) -> str:
        """The platform's meaning, for people."""
        return _STATUS[self]


_STATUS: dict[Status, str] = {
    Status.DOWNLOADED: "package downloaded",
    Status.DOWNLOAD_NO_SPACE: "download failed: no space",
    Status.DOWNLOAD_NO_MEMORY: "download failed: out of memory",
    Status.DOWNLOAD_TIMEOUT: "download failed: request timed out",
    Status.DOWNLOAD_LOW_BATTERY: "download failed: low battery",
    Status.DOWNLOAD_POOR_SIGNAL: "download failed: poor signal",
    Status.DOWNLOAD_UNKNOWN: "download failed: unknown",
    Status.UPGRADED: "upgraded",
    Status.UPGRADE_LOW_BATTERY: "upgrade failed: low battery",
    Status.UPGRADE_NO_MEMORY: "upgrade failed: out of memory",
    Status.UPGRADE_MISMATCH: "upgrade failed: the package does not match the task's target version",
    Status.UPGRADE_MD5: "upgrade failed: MD5 check failed",
    Status.UPGRADE_UNKNOWN: "upgrade failed: unknown",
    Status.UPGRADE_RETRIES: "upgrade failed: retry limit reached",
    Status.UPGRADE_EXPIRED: "upgrade expired",
}


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """Differences between platforms that a job has to know.

    Attributes:
        api: the platform's name in `atota.ota.registry`; a queued report waits for it.
        naming: the way in which the platform names a device.
        only_device: the one device that the credentials are for; empty: they are for more.
        needs_codes: the task query names the vendor's and the model's code.
        needs_token_check: the token is checked before each attempt of a download.
        needs_both_versions: a version report names module and application; for a version that the caller does
            not give, the platform's class sends the stored one.
        has_thresholds: the task query takes signal and battery, and a task may set limits for them.
        has_version_query: the platform can be asked for the versions that it has of a device.
        has_secret_token: the handle of a task is a secret; if not, a queued report keeps it.
        bare_range: ranges are written without the word ``bytes``.
        has_cancel: an operator can cancel a task; the next request about it is refused with ``OVER``.
        reports_by_version: the report of the target version completes a task, also without a token.
        pause_s: seconds between two queries about a paused task that sets no interval.
        token_life_s: seconds that a token lives, and so the longest wait for a paused task.
        digests: the digests that a task has, by the names of `atota.values.Digests`.
        version_problem: returns the reason for which the platform would refuse a version; None: it takes it.
        full, delta: the platform's own words for the two kinds of packages.
    """

    api: str = ""
    naming: DeviceNaming = "id"
    only_device: str = ""
    needs_codes: bool = False
    needs_token_check: bool = False
    needs_both_versions: bool = False
    has_thresholds: bool = False
    has_version_query: bool = False
    has_secret_token: bool = True
    bare_range: bool = False
    has_cancel: bool = False
    reports_by_version: bool = True
    pause_s: float = 30.0
    token_life_s: float = 48 * 3600.0
    digests: tuple[str, ...] = ("md5",)
    version_problem: Callable[[str], str | None] = lambda _: None
    full: str = "full"
    delta: str = "delta"

    def words(self, kind: Kind) -> str:
        """Return the platform's own words for a kind of package."""
        return self.full if kind == "full" else self.delta


class CheckQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The query for a device's task.

    ``dev_id`` is the platform's name of the device, by its ``naming``, ``signals`` CSQ 0-31, ``powers``
    percent. ``version`` is stored by the platform, task or not. With ``cdn`` the task names an address to
    download from.
    A platform ignores the fields that it does not know (`Capabilities`).
    """

    dev_id: str
    version: str
    manuf: str | None = None
    model: str | None = None
    type: TaskType = "fota"
    signals: int | None = None
    powers: int | None = None
    cdn: bool = False


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """The update that a platform has for one device.

    ``token`` is the platform's handle of the task, and may be a secret. ``size`` in bytes, ``md5`` lower-case
    hex, ``signal`` CSQ, ``power`` percent, ``interval`` seconds (the unit is not documented; the official
    demo sleeps seconds). ``ip_port`` is set only if the query asked for it.
    """

    target: str
    token: str
    size: int
    md5: str
    signal: int = 0
    power: int = 0
    retry: int = 0
    interval: int = 0
    kind: Kind = "full"
    ip_port: str | None = None

    def __repr__(self) -> str:
        shown = ((name, MASK if name == "token" else getattr(self, name)) for name in self.__struct_fields__)
        return f"Task({', '.join(f'{name}={value!r}' for name, value in shown)})"

    __str__ = __repr__

    def __rich_repr__(self) -> Any:
        for name in self.__struct_fields__:
            yield name, MASK if name == "token" else getattr(self, name)


class Versions(msgspec.Struct, frozen=True):
    """The versions of a device's module and application; None: not reported yet."""

    module: str | None = None
    application: str | None = None


@dataclass(frozen=True)
class ContentRange:
    """The place of a part in the whole: first and last byte (inclusive); ``total`` None if not given."""

    first: int
    last: int
    total: int | None


@dataclass(frozen=True)
class Part:
    """An open answer to a download request.

    Attributes:
        partial: the server says that this is a part (HTTP 206).
        content_range: the value of ``Content-Range``; None if it was missing or unreadable.
        length: the value of ``Content-Length``; None if it was missing.
        chunks: the body as it arrives. It raises `ServerUnreachable` if the connection breaks and
            `PlatformRefused` if the body is an error of the platform instead of the package.
    """

    partial: bool
    content_range: ContentRange | None
    length: int | None
    chunks: Iterator[bytes]


class Auth(Protocol):
    """Signs the requests of a platform."""

    def header(self) -> str:
        """Return the value of ``Authorization`` for a request that is sent now."""
        ...

    def secrets(self) -> tuple[str, ...]:
        """Return the texts that no error may show."""
        ...


@dataclass(frozen=True, kw_only=True)
class Access:
    """Everything that opens a platform; a factory takes the fields that its API knows.

    Attributes:
        server: the address.
        clock: the time of waits and signatures.
        access_key: the key that signs requests (base64).
        authorization: a finished ``Authorization`` header, instead of a key.
        product_id: the product that the key belongs to.
        device_name: the device that the key belongs to, if it is a device's.
        user_id: the account that the key belongs to, if it is an account's.
        key_level: the owner of the key; None: the account or the device that is named, else the product.
        auth_method: the digest that signs a request.
        auth_ttl_s: seconds that a signature stays valid.
        stop: ends every wait.
        on_wait: receives the reason and the length of each wait.
        warn: receives remarks about the platform's answers, for people.
        timeout_s: the longest silence of the server, seconds.
        ca_file: the certificates (PEM) that servers are trusted by; None: those of the system.
        transport: replaces the network in tests and simulations; `atota.ota.http.Transport`.
    """

    server: str
    clock: Clock
    access_key: str | None = None
    authorization: str | None = None
    product_id: str | None = None
    device_name: str | None = None
    user_id: str | None = None
    key_level: KeyLevel | None = None
    auth_method: str = "sha256"
    auth_ttl_s: int = 3600
    stop: StopToken | None = None
    on_wait: OnWait | None = None
    warn: Callable[[str], None] | None = None
    timeout_s: float = 20.0
    ca_file: Path | None = None
    transport: object | None = None

    def __repr__(self) -> str:
        return f"Access({self.server!r})"


class PackageSource(Protocol):
    """The calls of a platform that a download makes."""

    @property
    def capabilities(self) -> Capabilities:
        """The platform's differences from others."""
        ...

    def check_token(self, dev_id: str, token: str) -> None:
        """Check that the task may be downloaded; some platforms then count it as downloading.

        Raises:
            PlatformRefused: it may not.
        """
        ...

    def open_package(
        self, task: Task, first: int = 0, *, bare_range: bool = False
    ) -> AbstractContextManager[Part]:
        """Open the package from byte ``first`` to its end; 0 asks for the whole, without a range.

        Args:
            task: the task of the package.
            first: the first byte to send.
            bare_range: write ``Range: 5-`` instead of ``Range: bytes=5-``; OneNET documents both.
        """
        ...


class Platform(PackageSource, Protocol):
    """An OTA platform, as a job uses it.

    All calls raise `PlatformRefused` with a `StepResult`, or another `ServerError` without a usable
    answer; `UsageError` before anything is sent. No error holds a key, a signature or a token. A platform
    is a context manager that closes its connections.
    """

    @property
    def server(self) -> str:
        """Its address; a queued report names it."""
        ...

    def check(self, query: CheckQuery) -> Task | None:
        """Return the device's task, or None.

        Not harmless: a platform stores the version, and may create or fail a task by it.
        """
        ...

    def dry_run(self, query: CheckQuery) -> dict[str, Any]:
        """Return the method, URL and headers of a check, its secrets masked. Sends nothing."""
        ...

    def tasking(self, dev_id: str, task_type: TaskType = "fota", *, cdn: bool = False) -> Task | None:
        """Return the task that is downloading or upgrading, with a valid token, or None.

        Changes nothing on the platform.
        """
        ...

    def package_url(self, task: Task) -> str:
        """Return the URL of the package, for a module that fetches it itself; may be a secret.

        Raises:
            Refused: a request without the platform's signature gets no package there.
        """
        ...

    def versions(self, dev_id: str) -> Versions | None:
        """Return the versions that the platform has of a device; None if it cannot be asked for them.

        Changes nothing on the platform.
        """
        ...

    def report_version(self, dev_id: str, f_version: str | None = None, s_version: str | None = None) -> None:
        """Report the versions that the device runs: module (``f_``) and application (``s_``) firmware."""
        ...

    def report_step(self, dev_id: str, token: str, step: int) -> None:
        """Report the progress of a task (0-99 percent) or a `Status`."""
        ...

    def close(self) -> None:
        """Close the connections. May be called twice."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
