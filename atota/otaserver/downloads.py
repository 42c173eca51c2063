"""The reply to a download that is granted, the same in every API but for the headers of its range."""

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

from atota.otaserver.ranges import Slice, clamp
from atota.otaserver.reply import HttpReply, HttpRequest
from atota.otaserver.service import LocalPlatform
from atota.otaserver.tasks import Api, Task, shown_id

PACKAGE_TYPE = "application/octet-stream;charset=UTF-8"
RangeStyle = Literal["header", "pair", "both", "none"]


def package_reply(
    platform: LocalPlatform,
    task: Task,
    request: HttpRequest,
    *,
    api: Api = "generic",
    style: RangeStyle = "header",
) -> tuple[HttpReply, str]:
    """Return the bytes that a request asks for, with what the faults make of them, and a note for the log.

    Args:
        platform: whose faults strike.
        task: the task of the package.
        request: its ``Range`` says which bytes.
        api: the API of the request.
        style: the headers that tell the place of a slice: ``header``, ``pair``, ``both`` or ``none``.
    """
    header = request.headers.get("range")
    if header is not None and platform.faults.take("ignore-range", "download"):
        header = None
    part = clamp(header, len(task.package.data))
    if part is not None and part.asked_past_end:
        platform.complain(task, f"asks for a range outside the file, {header}")
    if part is not None and len(part) < 2:
        platform.complain(task, "asks for one byte; the smallest range is two")
    data = task.package.data if part is None else task.package.data[part.start : part.end + 1]
    reply = HttpReply(200 if part is None else 206, _headers(platform, task, part, style), data)
    first = part.start if part else 0
    platform.note(task, "download", (first, first + len(data) - 1), 0, api)
    _strike(platform, task, reply)
    last, total = first + len(data) - 1, task.package.digests.size
    note = f"device {shown_id(task.dev_id)}, bytes {first}-{last} of {total}"
    return reply, note if reply.cut_at is None else f"{note}, cut by fault after {reply.cut_at}"


def _strike(platform: LocalPlatform, task: Task, reply: HttpReply) -> None:
    take = platform.faults.take
    if take("short-body", "download"):
        reply.body = reply.body[: len(reply.body) // 2]
    fault = take("slow", "download")
    reply.bytes_per_s = fault.number if fault else None
    if take("endless-body", "download"):
        reply.endless, reply.declare_length = True, False
    reply.cut_at = platform.faults.cut(task, len(reply.body))


def _headers(
    platform: LocalPlatform, task: Task, part: Slice | None, style: RangeStyle
) -> list[tuple[str, str]]:
    name = re.sub(r"[^A-Za-z0-9._-]", "_", task.package.name.rpartition("/")[2])
    headers = [("Content-Type", PACKAGE_TYPE), ("Content-Disposition", f'attachment; filename="{name}"')]
    if part is not None:
        if platform.faults.take("wrong-range", "download"):
            part = replace(part, start=part.start + 1, end=part.end + 1)
        headers += _range_headers(part, style)
    return headers


def _range_headers(part: Slice, style: RangeStyle) -> Iterable[tuple[str, str]]:
    if style in ("header", "both"):
        yield "Content-Range", part.content_range
    if style in ("pair", "both"):
        yield "Content-Range-Start", str(part.start)
        yield "Content-Range-End", str(part.end)
