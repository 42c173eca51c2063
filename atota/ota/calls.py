"""The calls of the generic OTA API: what is sent, and what is made of the answer. Knows no HTTP library."""

import re
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager

from atota.errors import UsageError
from atota.ota.onenet.errnos import Action, Endpoint, Status, meaning
from atota.ota.onenet.wire import (
    CheckQuery,
    Envelope,
    Task,
    checked_dev_id,
    checked_token,
    checked_type,
    checked_version,
    decode_dev_id,
    decode_task,
)

CHECK_PATH = "/ota/south/check"


class PlatformCalls(ABC):
    """The calls, over any way of sending them.

    All of them raise `ServerUnreachable`, `PlatformRefused` (an errno), `BadAnswer` or
    `ServerError` (HTTP 5xx, 429); `UsageError` before anything is sent.
    """

    def report_version(self, dev_id: str, f_version: str | None = None, s_version: str | None = None) -> None:
        """Tell the platform what the device runs: module (``f_``) and application (``s_``) firmware.

        A task whose target equals the version is thereby completed.
        """
        given = {"f_version": f_version, "s_version": s_version}
        body = {name: checked_version(value) for name, value in given.items() if value is not None}
        if not body:
            raise UsageError("there is no version to report")
        self._ask(Endpoint.VERSION, "POST", "/ota/device/version", {"dev_id": checked_dev_id(dev_id)}, body)

    def check(self, query: CheckQuery) -> Task | None:
        """Ask for a task; None if there is none.

        Not harmless: the platform stores the version, may create a task, and fails a task whose
        vendor or model code or (delta) base version differs.
        """
        return self._task(Endpoint.CHECK, CHECK_PATH, query.params(), cdn=query.cdn)

    def tasking(self, dev_id: str, task_type: str = "fota", *, cdn: bool = False) -> Task | None:
        """Ask for the task that is downloading or upgrading already; None if there is none."""
        params = {"dev_id": checked_dev_id(dev_id), "type": str(checked_type(task_type))}
        if cdn:
            params["cdn"] = "true"
        return self._task(Endpoint.TASKING, "/ota/south/tasking", params, cdn=cdn)

    def check_token(self, dev_id: str, token: str) -> None:
        """Ask whether the token is good; a pending task then counts as downloading."""
        path = f"/ota/south/download/{checked_token(token)}/check"
        self._ask(Endpoint.TOKEN, "GET", path, {"dev_id": checked_dev_id(dev_id)}, secret=token)

    def report_step(self, dev_id: str, token: str, step: int) -> None:
        """Report progress (0-100 percent) or a `Status` code.

        A step from 100 on moves the task, so it is sent again only if it surely never arrived.
        """
        value = step if 0 <= step <= 100 else _status(step)
        path = f"/ota/south/device/download/{checked_token(token)}/progress"
        params = {"dev_id": checked_dev_id(dev_id)}
        self._ask(
            Endpoint.STEP, "POST", path, params, {"step": int(value)}, idempotent=step < 100, secret=token
        )

    def report_status(self, dev_id: str, token: str, result: int) -> None:
        """Report a `Status` code by the older call; sent again only if it surely never arrived."""
        params = {"dev_id": checked_dev_id(dev_id), "token": checked_token(token)}
        body = {"result": _status(result)}
        self._ask(Endpoint.REPORT, "POST", "/ota/south/report", params, body, idempotent=False, secret=token)

    def dev_info(self, product_id: str, auth_info: str) -> str:
        """The platform's id of a device, found by its authentication information (often the IMEI)."""
        pid = product_id.strip()
        if not pid or not auth_info.strip():
            raise UsageError(
                "the device look-up needs a product id and the device's authentication information"
            )
        number: object = int(pid) if re.fullmatch(r"[0-9]{1,18}", pid) else pid
        body = {"pid": number, "authInfo": auth_info.strip()}
        with self._cleaning():
            return decode_dev_id(self._ask(Endpoint.DEV_INFO, "GET", "/ota/devInfo", {}, body).data)

    def _task(self, endpoint: Endpoint, path: str, params: dict[str, str], *, cdn: bool) -> Task | None:
        with self._cleaning():
            envelope = self._ask(endpoint, "GET", path, params)
            if meaning(envelope.errno, endpoint).action is Action.NO_TASK:
                return None
            return decode_task(envelope.data, cdn=cdn)

    @abstractmethod
    def _ask(
        self,
        endpoint: Endpoint,
        method: str,
        path: str,
        params: dict[str, str],
        body: object = None,
        *,
        idempotent: bool = True,
        secret: str = "",
    ) -> Envelope:
        """Make a call until it is answered; an errno other than 0 and "no task" raises."""

    @abstractmethod
    def _cleaning(self, token: str = "") -> AbstractContextManager[None]:
        """Take the secrets out of every error that passes."""


def _status(code: int) -> int:
    if code not in set(map(int, Status)):
        raise UsageError(f"{code} is neither a percentage nor a status code of the platform")
    return code
