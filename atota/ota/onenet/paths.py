"""The APIs that name a device and a task in the path: ``/{prefix}/{product}/{device}/{tid}/download``.

FUSE and STUDIO are this class with another prefix, other numbers and another version of the signature. They
differ from the generic API: no codes of vendors and models, no thresholds, no paused tasks, a task number
that is not a secret, a signed download, and its error in the header ``Ota-Errno``. The states of a task::

    1 waiting -(download)-> 2 downloading -(step 100 or 101)-> 3 upgrading -(201, or the target's version)-> 4
    5 failed (102-107, 202-207)      6 cancelled (console)      4, 5 and 6 accept nothing any more

Sources: OneNET's pages fuse/1204, 1447-1449, 1454, 1483 and 1504, the page "Studio OTA", recorded exchanges.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated, Any

import msgspec

from atota.errors import (
    BadAnswer,
    DownloadRefused,
    Interrupted,
    JobTimeout,
    PlatformRefused,
    Refused,
    ServerError,
    StepResult,
    UsageError,
)
from atota.ota.base import Capabilities, CheckQuery, ContentRange, Part, Status, Task, Versions
from atota.ota.http import HttpClient, Request, Source
from atota.ota.onenet.answers import Numbers, part_of
from atota.ota.onenet.calls import OneNetPlatform, checked_status
from atota.ota.onenet.errnos import Endpoint
from atota.ota.onenet.signer import key_level
from atota.ota.onenet.wire import (
    Count,
    checked_type,
    checked_version,
    read_data,
    task_kind,
    task_md5,
    unreportable,
)
from atota.ota.registry import Access
from atota.ota.replies import Stream, parse_content_range
from atota.values import TaskType, device_path, version_problem

_UPGRADING, _DONE = 3, 4
_STATES = {
    1: "waiting",
    2: "downloading",
    _UPGRADING: "upgrading",
    _DONE: "done",
    5: "failed",
    6: "cancelled",
}
_HANDLE = re.compile(r"[A-Za-z0-9]{1,32}/[A-Za-z0-9_-]{1,64}/[0-9]{1,19}")
_Tid = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]  # seven digits were seen; a database has 64 bits

# Ota-Errno -> (sentence, result); from the official STUDIO SDK and measured on FUSE.
_DOWNLOAD: dict[int, tuple[str, StepResult]] = {
    1: ("the platform does not know the device", StepResult.REFUSED),
    2: ("the package does not exist on the platform", StepResult.REFUSED),
    3: ("the platform's store does not have the package", StepResult.REFUSED),
    4: ("the package has another size than the platform recorded", StepResult.REFUSED),
    5: ("the task is over: expired, cancelled or finished", StepResult.OVER),
    6: ("the authorization is not accepted", StepResult.REFUSED),
}
_AUTH_HINT = (
    "Check the access key, --key-level, --product-id and --device-name; `atota doctor` looks at them."
)


def path_capabilities(api: str, access: Access) -> Capabilities:
    """Return the capabilities, which the two APIs share; those of a device's key are for this device."""
    is_device_key = key_level(access.key_level, access.device_name, access.user_id) == "device"
    device = f"{access.product_id}/{access.device_name}" if is_device_key else ""
    return Capabilities(
        api=api,
        only_device="" if access.authorization is not None else device,
        naming="product-and-name",
        needs_token_check=True,
        needs_both_versions=True,
        has_version_query=True,
        has_secret_token=False,
        has_cancel=True,
        bare_range=True,
        version_problem=version_problem,
        full="完整包 (full, data.type 1)",
        delta="差分包 (delta, data.type 2)",
    )


class _WireTask(msgspec.Struct):
    target: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    tid: _Tid
    size: Count
    md5: str
    status: int | None = None
    type: int | None = None


class _WireStatus(msgspec.Struct):
    status: int


class _WireVersions(msgspec.Struct):
    f_version: str | None = None
    s_version: str | None = None


class PathPlatform(OneNetPlatform):
    """A `atota.ota.base.Platform` whose devices and tasks stand in the path.

    A task's handle is ``product/device/tid``. A number that the platform does not know any more has expired:
    a new check tells if the task is still there.

    Args:
        http: sends the requests, signed.
        numbers: the numbers of the API's answers.
        prefix: the beginning of every path.
        capabilities: the API's.
        warn: receives remarks about answers.
    """

    def __init__(
        self,
        http: HttpClient,
        numbers: Numbers,
        *,
        prefix: str,
        capabilities: Capabilities,
        warn: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__(http, numbers, warn)
        self.capabilities = capabilities
        self._prefix = prefix

    # -- tasks -------------------------------------------------------------------------------

    def check(self, query: CheckQuery) -> Task | None:
        """Return the device's task, or None."""
        request = self._check_request(query)
        with self._http.cleaning():
            envelope = self._call(Endpoint.CHECK, request)
            if self._is_no_task(envelope, Endpoint.CHECK):
                return None
            if envelope.data is None:  # several clients take it for "no task"; not documented
                self._warn("the platform reports success without a task: taken for no task")
                return None
            return _task(envelope.data, query.dev_id)

    def _check_request(self, query: CheckQuery) -> Request:
        params = {"type": str(checked_type(query.type)), "version": checked_version(query.version)}
        return Request(method="GET", path=self._path(query.dev_id, "check"), params=params)

    def tasking(self, dev_id: str, task_type: TaskType = "fota", *, cdn: bool = False) -> None:
        """Return None: these APIs have no such query, and a queued report keeps the handle of its task."""

    def check_token(self, dev_id: str, token: str) -> None:
        """Check that the task may be downloaded: its state is read, and stays as it is."""
        state = self._state(dev_id, token)
        if state >= _DONE:
            raise PlatformRefused(
                f"the task is over: {_STATES[state]}",
                result=StepResult.OVER,
                hint="Nothing was reported. `atota check` shows whether another task waits.",
            )
        if state == _UPGRADING:
            raise PlatformRefused(
                "the task is upgrading already",
                result=StepResult.MOVED_ON,
                hint="If the package is in the cache it is used; if not, have the operator create the task "
                "again.",
            )

    def _state(self, device: str, token: str) -> int:
        request = Request(method="GET", path=self._task_path(device, token, "check"))
        with self._http.cleaning():
            state = read_data(self._call(Endpoint.STATUS, request).data, _WireStatus, "task's status").status
            if state not in _STATES:
                raise BadAnswer(f"the task's status is {state}; documented are 1 to 6")
            return state

    # -- reports -----------------------------------------------------------------------------

    def versions(self, dev_id: str) -> Versions:
        """Return the versions that the platform has of a device."""
        request = Request(method="GET", path=self._path(dev_id, "version"))
        with self._http.cleaning():
            data = self._call(Endpoint.VERSIONS, request).data
            raw = read_data({} if data is None else data, _WireVersions, "versions")
            return Versions(_sendable(raw.f_version), _sendable(raw.s_version))

    def report_version(self, dev_id: str, f_version: str | None = None, s_version: str | None = None) -> None:
        """Report the versions that the device runs: module (``f_``) and application (``s_``) firmware.

        The API refuses one alone, so one that is not given is sent as the platform has it. A device that
        never reported any gets the same for both, as other clients do.
        """
        for version in (f_version, s_version):
            if version is not None:
                checked_version(version)
        given = f_version or s_version
        if given is None:
            raise UsageError("a version report needs a version")
        stored = Versions() if f_version and s_version else self._stored(dev_id)
        body = {
            "s_version": s_version or stored.application or given,
            "f_version": f_version or stored.module or given,
        }
        self._call(Endpoint.VERSION, Request(method="POST", path=self._path(dev_id, "version"), body=body))

    def _stored(self, dev_id: str) -> Versions:
        """Return the stored versions; none if the answer, which is not documented, cannot be read."""
        try:
            return self.versions(dev_id)
        except (PlatformRefused, BadAnswer):
            return Versions()

    def report_step(self, dev_id: str, token: str, step: int) -> None:
        """Report progress (0-100 percent) or a `Status` code.

        A step from 100 on moves the task, so it is sent again only if it surely never arrived.
        """
        value = int(step) if 0 <= step <= 100 else checked_status(step)
        if value == Status.UPGRADE_EXPIRED:  # not on the page of these APIs
            value = int(Status.UPGRADE_UNKNOWN)
        request = Request(method="POST", path=self._task_path(dev_id, token, "status"), body={"step": value})
        try:
            self._call(Endpoint.STEP, request, idempotent=value < 100)
        except PlatformRefused as error:
            if error.result is not StepResult.OVER:
                raise
            state = self._end(dev_id, token)
            if state == _DONE and value == Status.UPGRADED:
                return
            # The answer to the step says "finished", however the task ended.
            ended = f"; it is {_STATES[state]}" if state is not None else ""
            raise PlatformRefused(
                f"{error.message}{ended}", result=error.result, errno=error.errno, hint=error.hint
            ) from error

    def _end(self, device: str, token: str) -> int | None:
        """Return the state in which a task ended; None if it cannot be read, or has not ended."""
        try:
            state = self._state(device, token)
        except (Interrupted, JobTimeout):
            raise
        except ServerError:
            return None
        return state if state >= _DONE else None

    # -- the package -------------------------------------------------------------------------

    def package_url(self, task: Task) -> str:
        """Refuse: a module that fetches the package itself cannot sign the request.

        Raises:
            Refused: always.
        """
        raise Refused(
            f"this module fetches packages itself, and {self.server} wants a signature with the download of "
            f"{task.target}",
            hint="Give --serve-url http://HOST:PORT: an address of this machine that the module can reach.",
        )

    @contextmanager
    def open_package(self, task: Task, first: int = 0, *, bare_range: bool = False) -> Iterator[Part]:
        """Open the package from byte ``first`` to its end; see `atota.ota.base.PackageSource`."""
        with self._http.cleaning():
            device = task.token.rpartition("/")[0]
            source = Source(url=f"{self.server}{self._task_path(device, task.token, 'download')}")
            if first:
                span = f"{first}-{task.size - 1}"
                source.headers["Range"] = span if bare_range else f"bytes={span}"
            with self._http.open(source) as stream:
                _refuse_errno(stream)
                part = part_of(stream, task, first, self._numbers)
                yield replace(part, content_range=_content_range(stream, part, task, first))

    # -- paths -------------------------------------------------------------------------------

    def _path(self, device: str, call: str) -> str:
        product, _, name = device.partition("/")
        return f"{self._prefix}/{device_path(product, name)}/{call}"

    def _task_path(self, device: str, handle: str, call: str) -> str:
        if not _HANDLE.fullmatch(handle) or not handle.startswith(f"{device}/"):
            raise UsageError(
                f"that is not a task of the device {device}", hint="Run `atota check` to get the task again."
            )
        return f"{self._prefix}/{handle}/{call}"


def _task(data: Any, device: str) -> Task:
    """Read the ``data`` of a check.

    Raises:
        BadAnswer: it does not match the documentation.
    """
    raw = read_data(data, _WireTask, "task")
    target = raw.target.strip()
    if version_problem(target) is not None:
        raise unreportable(target)
    return Task(
        target=target,
        token=f"{device}/{raw.tid}",
        size=raw.size,
        md5=task_md5(raw.md5),
        kind=task_kind(raw.type),
    )


def _sendable(version: str | None) -> str | None:
    return version if version and version_problem(version) is None else None


def _refuse_errno(stream: Stream) -> None:
    """Raise for the number in ``Ota-Errno``; it counts more than the HTTP status.

    Raises:
        DownloadRefused: it is not 0.
    """
    text = (stream.headers.get("Ota-Errno") or "0").strip()
    number = int(text) if re.fullmatch(r"[0-9]{1,9}", text) else -1
    if number == 0:
        return
    unlisted = ("its documentation does not list this number", StepResult.REFUSED)
    sentence, result = _DOWNLOAD.get(number, unlisted)
    raise DownloadRefused(
        f"the platform refused the download: {sentence} (Ota-Errno {text[:9]})",
        result=result,
        errno=number,
        hint=_AUTH_HINT if number in (1, 6) else "Look the task up in the console; `atota check` shows it.",
    )


def _content_range(stream: Stream, part: Part, task: Task, first: int) -> ContentRange | None:
    """Return the place of a part: of the headers if they agree, else of a length that fits exactly.

    FUSE was recorded without any such header; STUDIO's SDK expects a pair of its own.
    """
    if not part.partial:
        return part.content_range
    headers = stream.headers
    texts = (headers.get("Content-Range-Start"), headers.get("Content-Range-End"))
    if all(texts):
        pair = parse_content_range(f"{texts[0]}-{texts[1]}/*")
        named = part.content_range
        if named is None or (pair is not None and (pair.first, pair.last) == (named.first, named.last)):
            return named or pair
        return None
    is_silent = "Content-Range" not in headers and not any(texts)
    if is_silent and part.length == task.size - first:
        return ContentRange(first, task.size - 1, None)
    return part.content_range
