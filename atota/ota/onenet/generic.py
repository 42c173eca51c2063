"""OneNET's generic OTA API (``ota.heclouds.com``): its calls, over the transport of `atota.ota.http`.

The API signs every request, names a device by its id and a task by a secret token, and answers with an
envelope of ``errno``, ``error`` and ``data``. Sources: the pages that `atota.ota.onenet.errnos` names.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import urlsplit

from atota.errors import UsageError
from atota.ota.base import Capabilities, CheckQuery, Part, Task
from atota.ota.http import HttpClient, Request, Source
from atota.ota.onenet.answers import ERRNOS, part_of, without_error_byte
from atota.ota.onenet.calls import OneNetPlatform, checked_status
from atota.ota.onenet.errnos import Endpoint
from atota.ota.onenet.signer import auth_of
from atota.ota.onenet.wire import (
    check_params,
    checked_dev_id,
    checked_token,
    checked_type,
    checked_version,
    decode_task,
    parse_ip_port,
)
from atota.ota.registry import Access
from atota.values import TaskType, version_problem


def open_generic(access: Access) -> "GenericPlatform":
    """Open the API; its row in `atota.ota.registry`.

    Raises:
        UsageError: the server, the key or the product is missing or wrong.
    """
    return GenericPlatform(HttpClient.of(access, auth_of(access)), access.warn)


class GenericPlatform(OneNetPlatform):
    """A `atota.ota.base.Platform` of the generic API, for one product or device.

    Args:
        http: sends the requests, signed.
        warn: receives remarks about the answers, for people.
    """

    capabilities = Capabilities(
        api="generic",
        needs_codes=True,
        needs_token_check=True,
        has_thresholds=True,
        has_cancel=True,
        reports_by_version=True,
        version_problem=version_problem,
        token_life_s=48 * 3600.0,  # platform page "check upgrade task": a token lives two days
        full="full (type 1)",
        delta="delta (type 2)",
    )

    def __init__(self, http: HttpClient, warn: Callable[[str], None] | None = None) -> None:
        super().__init__(http, ERRNOS, warn)

    # -- tasks -------------------------------------------------------------------------------

    def check(self, query: CheckQuery) -> Task | None:
        """Return the device's task, or None.

        Not harmless: the platform stores the version, may create a task, and fails a task whose
        vendor or model code or (delta) base version differs.
        """
        return self._task(Endpoint.CHECK, self._check_request(query), cdn=query.cdn)

    def _check_request(self, query: CheckQuery) -> Request:
        return Request(method="GET", path="/ota/south/check", params=check_params(query))

    def tasking(self, dev_id: str, task_type: TaskType = "fota", *, cdn: bool = False) -> Task | None:
        """Return the task that is downloading or upgrading already, or None."""
        params = {"dev_id": checked_dev_id(dev_id), "type": str(checked_type(task_type))}
        if cdn:
            params["cdn"] = "true"
        request = Request(method="GET", path="/ota/south/tasking", params=params)
        return self._task(Endpoint.TASKING, request, cdn=cdn)

    def check_token(self, dev_id: str, token: str) -> None:
        """Check that the token is good; a pending task then counts as downloading."""
        path = f"/ota/south/download/{checked_token(token)}/check"
        self._call(Endpoint.TOKEN, Request(method="GET", path=path, params=_device(dev_id)), secret=token)

    def _task(self, endpoint: Endpoint, request: Request, *, cdn: bool) -> Task | None:
        with self._http.cleaning():
            envelope = self._call(endpoint, request)
            if self._is_no_task(envelope, endpoint):
                return None
            return decode_task(envelope.data, cdn=cdn)

    def versions(self, dev_id: str) -> None:
        """Return None: the text of the page about such a query is lost."""

    # -- reports -----------------------------------------------------------------------------

    def report_version(self, dev_id: str, f_version: str | None = None, s_version: str | None = None) -> None:
        """Report the versions that the device runs: module (``f_``) and application (``s_``) firmware.

        A task whose target equals the version is thereby completed.
        """
        given = {"f_version": f_version, "s_version": s_version}
        body = {name: checked_version(value) for name, value in given.items() if value is not None}
        if not body:
            raise UsageError("a version report needs a version")
        params = _device(dev_id)
        request = Request(method="POST", path="/ota/device/version", params=params, body=body)
        self._call(Endpoint.VERSION, request)

    def report_step(self, dev_id: str, token: str, step: int) -> None:
        """Report progress (0-100 percent) or a `Status` code.

        A step from 100 on moves the task, so it is sent again only if it surely never arrived.
        """
        value = step if 0 <= step <= 100 else checked_status(step)
        path = f"/ota/south/device/download/{checked_token(token)}/progress"
        request = Request(method="POST", path=path, params=_device(dev_id), body={"step": int(value)})
        self._call(Endpoint.STEP, request, idempotent=step < 100, secret=token)

    # -- the package -------------------------------------------------------------------------

    def package_url(self, task: Task) -> str:
        """Return the URL of the package, for a module that fetches it itself. The token in it is a secret."""
        return self.server + _package_path(task)

    @contextmanager
    def open_package(self, task: Task, first: int = 0, *, bare_range: bool = False) -> Iterator[Part]:
        """Open the package from byte ``first`` to its end; see `atota.ota.base.PackageSource`."""
        with self._http.cleaning(task.token):
            source = self._source(task)
            if first:
                source.headers["Range"] = f"{first}-" if bare_range else f"bytes={first}-"
            with self._http.open(source, secret=task.token) as stream:
                part = part_of(stream, task, first)
                yield replace(part, chunks=without_error_byte(part, task))

    def _source(self, task: Task) -> Source:
        """The place of the package, by name or by the address that the task names.

        A foreign address gets no authorization: the token in the path is the credential.
        """
        parts = urlsplit(self.server)
        ip, port = parse_ip_port(task.ip_port) if task.ip_port else ("", None)
        if not ip or (parts.scheme == "https" and port == 80):  # no TLS at port 80: use the name, stay secret
            return Source(url=self.package_url(task))
        port = port or (443 if parts.scheme == "https" else 80)
        return Source(
            url=f"{parts.scheme}://{ip}:{port}{_package_path(task)}",
            headers={"Host": parts.netloc},
            tls_name=parts.hostname or "",
            signed=False,
        )


def _device(dev_id: str) -> dict[str, str]:
    return {"dev_id": checked_dev_id(dev_id)}


def _package_path(task: Task) -> str:
    return f"/ota/south/download/{checked_token(task.token)}"
