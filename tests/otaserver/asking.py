"""Requests to a local platform in memory, signed apart from atota's own signer."""

import base64
import hmac
import json
from typing import Any
from urllib.parse import quote

from atota.clock import SimulatedClock
from atota.otaserver.model import Auth, Device, Knobs, TasksFile, TaskSpec, build
from atota.otaserver.reply import HttpReply, HttpRequest
from atota.otaserver.routes import parse_query, respond
from atota.otaserver.service import LocalPlatform

PRODUCT, NAME, DEV_ID, USER = "A1b2C3d4E5", "line1", "6523", "12321"
PRODUCT_KEY, DEVICE_KEY, USER_KEY = b"the product's key", b"the device's key", b"the account's key"
ID = "399527bd39274e4e8f881e4714911a19"
DATA = bytes(range(200))
FUSE, STUDIO = f"/fuse-ota/{PRODUCT}/{NAME}", f"/ota/{PRODUCT}/{NAME}"


def text(key: bytes) -> str:
    return base64.b64encode(key).decode()


def platform(
    faults: str = "",
    *,
    required: bool = False,
    data: bytes = DATA,
    knobs: Knobs | None = None,
    tasks: tuple[TaskSpec, ...] | None = None,
    clock: SimulatedClock | None = None,
    **task: Any,
) -> LocalPlatform:
    """Make a platform with one device that all three APIs know, and one task of it."""
    own = TaskSpec(device_name=NAME, package="p", **{"target": "v3.0", **task})
    file = TasksFile(
        auth=Auth(
            product_id=PRODUCT,
            access_key=text(PRODUCT_KEY),
            user_id=USER,
            user_key=text(USER_KEY),
            required=required,
        ),
        devices=(Device(dev_id=DEV_ID, device_name=NAME, key=text(DEVICE_KEY)),),
        tasks=(own,) if tasks is None else tasks,
        knobs=knobs or Knobs(),
    )
    return LocalPlatform(
        build(file, {"p": data}),
        clock=clock or SimulatedClock(),
        faults=faults,
        request_id_source=lambda: ID,
    )


def ask(p: LocalPlatform, method: str, target: str, body: bytes = b"", **headers: str) -> HttpReply:
    path, _, query = target.partition("?")
    sent = {"content-type": "application/json", **headers}
    return respond(p, HttpRequest(method, path, parse_query(query), sent, body, "10.0.0.1:8080"))


def value(reply: HttpReply) -> dict[str, Any]:
    assert reply.status == 200
    decoded = json.loads(reply.body)
    assert isinstance(decoded, dict)
    return decoded


def code(reply: HttpReply) -> int:
    envelope = value(reply)
    return int(envelope["code"] if "code" in envelope else envelope["errno"])


def header(reply: HttpReply, name: str) -> str | None:
    (*found,) = (text for key, text in reply.headers if key == name)
    assert len(found) <= 1
    return found[0] if found else None


def resource(level: str) -> tuple[str, bytes]:
    """The resource and the key of a level."""
    return {
        "product": (f"products/{PRODUCT}", PRODUCT_KEY),
        "device": (f"products/{PRODUCT}/devices/{NAME}", DEVICE_KEY),
        "user": (f"userid/{USER}", USER_KEY),
    }[level]


def signed(
    p: LocalPlatform,
    level: str = "device",
    version: str = "2022-05-01",
    method: str = "sha256",
    *,
    life_s: float = 3600,
    res: str = "",
    key: bytes = b"",
    encoded: bool = True,
) -> str:
    """Sign for the platform's own device with the key of a level, or with another resource or key."""
    usual, own = resource(level)
    return signature(
        p, res or usual, text(key or own), version=version, method=method, life_s=life_s, encoded=encoded
    )


def signature(
    p: LocalPlatform,
    res: str,
    key: str,
    *,
    version: str,
    method: str = "sha256",
    life_s: float = 3600,
    encoded: bool = True,
) -> str:
    """Sign as the platform's page on authentication says, byte by byte."""
    et = int(p.time() + life_s)
    message = f"{et}\n{method}\n{res}\n{version}"
    sign = base64.b64encode(hmac.digest(base64.b64decode(key), message.encode(), method)).decode()

    def shown(field: str) -> str:
        return quote(field, safe="") if encoded else field

    return f"version={version}&res={shown(res)}&et={et}&method={method}&sign={shown(sign)}"
