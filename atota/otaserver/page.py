"""The page of the local platform for people: its tasks, its devices, and what was told when.

Made whole on the server, without a script; every text from outside is escaped, and the policy of the page
permits nothing but its own style. No token, key or signature is on it, and no whole IMEI.
"""

import base64
import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape

from atota.otaserver.reply import HttpReply, text_reply
from atota.otaserver.service import LocalPlatform
from atota.otaserver.tasks import Task, TaskEvent, shown_id

_LAST = 200  # events on the page
_STYLE = """
body { font: 16px/1.4 system-ui, sans-serif; margin: 2rem auto; max-width: 64rem; padding: 0 1rem;
  color: #1b1b1b; background: #fff; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 2rem; }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #ccc; vertical-align: top; }
td { font-variant-numeric: tabular-nums; }
.none { color: #555; }
@media (prefers-color-scheme: dark) { body { color: #eee; background: #181818; }
  th, td { border-color: #444; } .none { color: #aaa; } }
"""
_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = f"default-src 'none'; style-src 'sha256-{_DIGEST}'; base-uri 'none'; form-action 'none'; "
_POLICY += "frame-ancestors 'none'"
_HEAD = f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Local OTA platform</title><style>{_STYLE}</style></head><body>
<h1>Local OTA platform</h1>
<p>One task store, three APIs: generic <code>/ota/…?dev_id=</code>, STUDIO <code>/ota/…</code> and
FUSE <code>/fuse-ota/…</code> by product and name.</p>
"""
_TASK = ("device", "type", "target", "package", "bytes", "state", "progress")
_DEVICE = ("device", "product", "name", "f_version", "s_version")
_EVENT = ("UTC", "device", "API", "call", "value", "answer", "task")
_COMPLAINT = ("behaviour that the platform lets pass",)
_CALLS = {"token": "token or status", "version": "version report"}


def page(platform: LocalPlatform) -> HttpReply:
    """Return the page as it is now."""
    parts = (
        _HEAD,
        _table("Tasks", _TASK, _tasks(platform)),
        _table("Devices", _DEVICE, _devices(platform)),
        _table(f"The last {_LAST} calls", _EVENT, _events(platform)),
        _table("Complaints", _COMPLAINT, ((complaint,) for complaint in platform.complaints[-_LAST:])),
        "</body></html>\n",
    )
    reply = text_reply(200, "".join(parts), "text/html;charset=UTF-8")
    reply.headers += [
        ("Content-Security-Policy", _POLICY),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Cache-Control", "no-store"),
    ]
    return reply


def _table(title: str, headings: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    body = "".join(f"<tr>{''.join(f'<td>{_cell(cell)}</td>' for cell in row)}</tr>\n" for row in rows)
    if not body:
        return f'<h2>{escape(title)}</h2>\n<p class="none">none</p>\n'
    head = "".join(f'<th scope="col">{escape(heading)}</th>' for heading in headings)
    return f"<h2>{escape(title)}</h2>\n<table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>\n"


def _cell(value: object) -> str:
    return "-" if value in (None, "") else escape(str(value))


def _tasks(platform: LocalPlatform) -> Iterable[tuple[object, ...]]:
    for task in reversed(platform.tasks):
        progress = None if task.progress is None else f"{task.progress} %"
        spec, size = task.spec, task.package.digests.size
        yield shown_id(task.dev_id), spec.type, spec.target, task.package.name, size, task.state, progress


def _devices(platform: LocalPlatform) -> Iterable[tuple[object, ...]]:
    for device in platform.devices.values():
        name = device.name and shown_id(device.name)
        versions = device.versions
        yield shown_id(device.dev_id), device.product_id, name, versions["fota"], versions["sota"]


def _events(platform: LocalPlatform) -> Iterable[tuple[object, ...]]:
    events = [(event, task) for task in platform.tasks for event in task.history]
    events.sort(key=lambda pair: pair[0].at)
    for event, task in reversed(events[-_LAST:]):
        yield _event(event, task)


def _event(event: TaskEvent, task: Task) -> tuple[object, ...]:
    value = event.value
    if isinstance(value, tuple):
        value = f"bytes {value[0]}-{value[1]}"
    at = datetime.fromtimestamp(event.at, UTC).strftime("%Y-%m-%d %H:%M:%S")
    call = _CALLS.get(event.call, event.call)
    return at, shown_id(task.dev_id), event.api, call, value, event.errno, event.state
