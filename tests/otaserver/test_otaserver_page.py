"""The page for people: what is on it, what is never on it, and that text from outside stays text."""

import re
from html.parser import HTMLParser

from atota.clock import SimulatedClock
from atota.otaserver.model import Auth, Device, TasksFile, TaskSpec, build
from atota.otaserver.reply import HttpReply
from atota.otaserver.service import LocalPlatform
from tests.otaserver.asking import (
    DEV_ID,
    DEVICE_KEY,
    FUSE,
    NAME,
    PRODUCT,
    ask,
    header,
    platform,
    signed,
    text,
)


class Cells(HTMLParser):
    """The text of each cell, and every tag with its attributes."""

    def __init__(self, reply: HttpReply) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.tags: list[str] = []
        self._is_in_cell = False
        self.feed(reply.body.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not [name for name, _ in attrs if name.startswith("on") or name in ("src", "style")]
        if tag == "td":
            self.cells.append("")
        self._is_in_cell = tag == "td"

    def handle_data(self, data: str) -> None:
        if self._is_in_cell:
            self.cells[-1] += data

    def handle_endtag(self, tag: str) -> None:
        self._is_in_cell = False


def test_it_shows_tasks_devices_and_what_was_told_when() -> None:
    p = platform()
    ask(p, "POST", f"{FUSE}/version", b'{"s_version":"S1","f_version":"F1"}')
    tid = p.task(DEV_ID).tid
    ask(p, "GET", f"{FUSE}/{tid}/download", range="0-99")
    ask(p, "POST", f"{FUSE}/{tid}/status", b'{"step":99}')
    cells = Cells(ask(p, "GET", "/")).cells
    assert cells[:7] == [DEV_ID, "fota", "v3.0", "p", "200", "downloading", "99 %"]
    assert cells[7:12] == [DEV_ID, PRODUCT, NAME, "F1", "S1"]
    at = "2026-01-01 00:00:00"
    assert cells[12:19] == [at, DEV_ID, "fuse", "progress", "99", "0", "downloading"]
    assert cells[19:26] == [at, DEV_ID, "fuse", "download", "bytes 0-99", "0", "downloading"]


def test_it_needs_no_script_and_permits_none() -> None:
    reply = ask(platform(), "GET", "/")
    policy = header(reply, "Content-Security-Policy")
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "script" not in Cells(reply).tags
    assert header(reply, "X-Content-Type-Options") == "nosniff"
    assert header(reply, "Content-Type") == "text/html;charset=UTF-8"


def test_its_style_is_the_one_that_the_policy_names() -> None:
    import base64
    import hashlib

    reply = ask(platform(), "GET", "/")
    (style,) = re.findall(r"<style>(.*?)</style>", reply.body.decode(), re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in str(header(reply, "Content-Security-Policy"))


def test_text_from_outside_stays_text() -> None:
    evil = "<script>alert(1)</script>&\"'"
    spec = TaskSpec(dev_id="1", manuf="001", model="00107", package=evil, target="V2")
    file = TasksFile(auth=Auth(required=False), tasks=(spec,))
    p = LocalPlatform(build(file, {evil: b"data"}), clock=SimulatedClock())
    ask(p, "GET", f"/fuse-ota/<img src=x>/{'<b>'}/check?type=1&version=V1")
    cells = Cells(ask(p, "GET", "/"))
    assert {"script", "img", "b"} & set(cells.tags) == set()
    assert evil in cells.cells
    assert "<img src=x>" in cells.cells


def test_no_secret_and_no_whole_imei_is_on_it() -> None:
    imei = "490154203237518"
    file = TasksFile(
        auth=Auth(product_id=PRODUCT, access_key=text(b"secret")),
        devices=(Device(dev_id=imei, device_name=NAME, key=text(DEVICE_KEY)),),
        tasks=(TaskSpec(dev_id=imei, manuf="001", model="00107", package="p", target="V2"),),
    )
    p = LocalPlatform(build(file, {"p": b"data"}), clock=SimulatedClock())
    sent = {"authorization": signed(p)}
    assert b'"tid"' in ask(p, "GET", f"{FUSE}/check?type=1&version=V1", b"", **sent).body
    page = ask(p, "GET", "/").body.decode()
    assert "V1" in page
    for secret in (imei, p.task(imei).token, text(DEVICE_KEY), text(b"secret"), sent["authorization"]):
        assert secret not in page


def test_an_empty_platform_says_so() -> None:
    p = LocalPlatform(build(TasksFile(auth=Auth(required=False)), {}), clock=SimulatedClock())
    assert ask(p, "GET", "/").body.count(b"none</p>") == 4
