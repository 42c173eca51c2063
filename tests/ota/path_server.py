"""A FUSE or STUDIO platform with one task for one device, in memory; written from the facts alone."""

import base64
import hashlib
import hmac
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote

from atota.ota.memory import MemoryRequest, MemoryResponse

KEY = "KuF3NT/jUBJ62LNBB/A8XZA9CqS3Cu79B/ABmfA1UCw="
PRODUCT, NAME = "9x8aBcD3eF", "mydev"
DEVICE = f"{PRODUCT}/{NAME}"
TID = 1317438
WAITING, DOWNLOADING, UPGRADING, DONE, FAILED, CANCELLED = range(1, 7)
STATES = ("", "pending", "downloading", "upgrading", "done", "failed", "cancelled")
FAILURES = {*range(102, 108), *range(202, 208)}


class PathServer:
    """The platform's side. ``api`` is ``fuse`` or ``studio``."""

    def __init__(self, api: str, package: bytes, target: str) -> None:
        self.api = api
        self.package = package
        self.target = target
        self.state = WAITING
        self.has_task = True
        self.is_busy = False
        self.versions: dict[str, str] = {}
        self.steps: list[int] = []
        self.requests: list[MemoryRequest] = []
        self.md5 = hashlib.md5(package, usedforsecurity=False).hexdigest()

    def answer(self, request: MemoryRequest) -> MemoryResponse:
        """Answer one request."""
        self.requests.append(request)
        prefix = {"fuse": "/fuse-ota", "studio": "/ota"}[self.api]
        match = re.fullmatch(rf"{prefix}/{DEVICE}/(?:(\d+)/)?(\w+)", request.path)
        if match is None:
            return MemoryResponse(404, [], [b"<html><body>nginx</body></html>"])
        if not self._is_signed(request.headers["authorization"]):
            return self._says(
                10403 if self.api == "fuse" else 1, "authentication failed:invalid authorization"
            )
        tid, call = match.groups()
        if tid is not None and int(tid) != TID:
            return self._says(*self._nothing())
        name = f"_{request.method.lower()}_{'task_' if tid else ''}{call}"
        answer: Callable[[MemoryRequest], MemoryResponse] = getattr(self, name)
        return answer(request)

    def _is_signed(self, header: str) -> bool:
        fields = {name: unquote(value) for name, _, value in (x.partition("=") for x in header.split("&"))}
        wanted = {"fuse": "2022-05-01", "studio": "2018-10-31"}[self.api]
        text = "\n".join((fields["et"], fields["method"], f"products/{PRODUCT}/devices/{NAME}", wanted))
        signature = hmac.digest(base64.b64decode(KEY), text.encode(), fields["method"])
        return fields["version"] == wanted and fields["sign"] == base64.b64encode(signature).decode()

    def _nothing(self) -> tuple[int, str]:
        return (12012, "not exist") if self.api == "fuse" else (10, "not exist")

    def _says(self, number: int, text: str, data: object = None) -> MemoryResponse:
        body: dict[str, object] = {"code": number, "msg": text}
        if self.api == "studio":
            body = {"errno": number, "error": text}
        if data is not None:
            body["data"] = data
        if self.api == "fuse":
            body["request_id"] = "8b9b21aff5f84af7ad9595c368613e16"
        raw = json.dumps(body, separators=(",", ":")).encode()
        headers = [("Content-Type", "application/json;charset=UTF-8"), ("Content-Length", str(len(raw)))]
        return MemoryResponse(200, headers, [raw])

    def _get_check(self, request: MemoryRequest) -> MemoryResponse:
        version = parse_qs(request.query)["version"][0]
        if not self.has_task or self.state >= DONE:
            return self._says(*self._nothing())
        if self.api == "fuse" and version == self.target:
            return self._says(12013, "task succ")
        task = {"target": self.target, "tid": TID, "size": len(self.package), "md5": self.md5}
        return self._says(0, "succ", {**task, "status": self.state, "type": 1})

    def _get_version(self, _: MemoryRequest) -> MemoryResponse:
        return self._says(0, "succ", self.versions or None)

    def _post_version(self, request: MemoryRequest) -> MemoryResponse:
        body = json.loads(request.body)
        if self.is_busy:
            return self._says(500 if self.api == "fuse" else 7, "busy")
        if set(body) != {"s_version", "f_version"}:
            return self._says(10001 if self.api == "fuse" else 2, "param error")
        self.versions = body
        if body["f_version"] == self.target and self.state < DONE:
            self.state = DONE
        return self._says(0, "succ")

    def _get_task_check(self, _: MemoryRequest) -> MemoryResponse:
        return self._says(0, "succ", {"status": self.state})

    def _get_task_download(self, request: MemoryRequest) -> MemoryResponse:
        if self.state >= DONE:
            return MemoryResponse(200, [("Ota-Errno", "5"), ("Content-Length", "0")], [])
        if self.state == WAITING:
            self.state = DOWNLOADING
        first, status = 0, 200
        if "range" in request.headers:
            match = re.fullmatch(r"(?:bytes=)?(\d+)-(\d+)", request.headers["range"])
            assert match is not None
            first, last = int(match[1]), int(match[2])
            assert first < last == len(self.package) - 1, "one byte, or past the end"
            status = 206
        part = self.package[first:]
        kind = "application/octet-stream;charset=UTF-8"
        headers = [("Content-Type", kind), ("Content-Length", str(len(part))), ("Ota-Errno", "0")]
        if status == 206 and self.api == "studio":
            headers += [("Content-Range-Start", str(first)), ("Content-Range-End", str(last))]
        return MemoryResponse(status, headers, [part])

    def _post_task_status(self, request: MemoryRequest) -> MemoryResponse:
        step = json.loads(request.body)["step"]
        if self.state >= DONE:
            return self._says(20, "task finish")
        if (step <= 100 and self.state != DOWNLOADING) or (100 < step < 200 and self.state == UPGRADING):
            return self._says(21, "invalid state")
        self.steps.append(step)
        if step in (100, 101):
            self.state = UPGRADING
        elif step == 201:
            self.state = DONE
        elif step in FAILURES:
            self.state = FAILED
        return self._says(0, "succ")


@contextmanager
def serving(server: PathServer) -> Iterator[str]:
    """Serve a platform on a free port of this machine; gives its URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            path, _, query = self.path.partition("?")
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(length)
            if "authorization" not in headers:  # the doctor's look at the front page
                answer = MemoryResponse(404, [], [b"nginx"])
            else:
                answer = server.answer(MemoryRequest(self.command, path, query, headers, body))
            content = b"".join(answer.body)
            self.send_response(answer.status)
            for name, value in answer.headers:
                if name != "Content-Length":
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _answer  # noqa: N815 - the names that the standard library calls

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{http.server_port}"
        finally:
            http.shutdown()
            thread.join()
