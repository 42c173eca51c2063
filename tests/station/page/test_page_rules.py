"""Who is let in: the rules, by real requests."""

import socket
from pathlib import Path

import httpx
import pytest

from atota.errors import ConfigError, ServerError
from atota.station.page.security import Gate
from atota.station.page.serve import read_token, serving
from atota.station.view import (
    AgainCommand,
    Command,
    ReleaseCommand,
    RemovedCommand,
    Reply,
    ScanCommand,
    SwitchCommand,
)
from tests.station.page.conftest import Served, station

TOKEN = "a token of a test, no secret"


def own(url: str) -> dict[str, str]:
    return {"Origin": url.rstrip("/"), "Content-Type": "application/json"}


def client() -> httpx.Client:
    return httpx.Client(trust_env=False)


@pytest.mark.parametrize("path", ["", "healthz", "metrics", "events", "nothing"])
def test_a_foreign_host_name_is_refused_everywhere(served: Served, path: str) -> None:
    with client() as web:
        answer = web.get(served.url + path, headers={"Host": "evil.example"})
    assert answer.status_code == 421


@pytest.mark.parametrize("host", ["127.0.0.1:1", "127.0.0.1", "localhost.evil.example", ""])
def test_a_host_with_another_port_or_name_is_refused(served: Served, host: str) -> None:
    with client() as web:
        assert web.get(served.url, headers={"Host": host}).status_code in (400, 421)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {},
        {"Origin": "OWN", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "OWN", "Content-Type": "text/plain"},
    ],
)
def test_a_change_from_elsewhere_is_refused(served: Served, headers: dict[str, str]) -> None:
    commands: list[Command] = []
    served.hub.on_command(lambda command: commands.append(command) or Reply(ok=True, sentence="done"))  # type: ignore[func-returns-value]
    given = {"Content-Type": "application/json"} | headers
    given = {name: value.replace("OWN", served.url.rstrip("/")) for name, value in given.items()}
    with client() as web:
        answer = web.post(served.url + "api/scan", content=b'{"text":"SN1"}', headers=given)
    assert answer.status_code in (403, 415)
    assert commands == []


@pytest.mark.parametrize("path", ["scan", "release", "lanes/1/again", "lanes/1/on", "login"])
def test_a_get_changes_nothing(served: Served, path: str) -> None:
    with client() as web:
        assert web.get(f"{served.url}api/{path}?text=SN1").status_code == 405


@pytest.mark.parametrize(
    ("path", "body", "command"),
    [
        ("scan", '{"text":" SN1\\u0000\\u0007 "}', ScanCommand(text="SN1")),
        ("scan", '{"text":"SN1","lane":3}', ScanCommand(text="SN1", lane=3)),
        ("lanes/2/again", '{"reason":"new label"}', AgainCommand(lane=2, reason="new label")),
        ("lanes/2/removed", "{}", RemovedCommand(lane=2)),
        ("lanes/2/off", "{}", SwitchCommand(lane=2, on=False)),
        ("lanes/2/on", "{}", SwitchCommand(lane=2, on=True)),
        ("lanes/2/release", '{"reason":"probe","by":"Li"}', ReleaseCommand(lane=2, reason="probe", by="Li")),
        ("release", '{"reason":"looked at it"}', ReleaseCommand(reason="looked at it")),
    ],
)
def test_a_change_of_the_page_reaches_the_station(
    served: Served, path: str, body: str, command: Command
) -> None:
    commands: list[Command] = []

    def receive(given: Command) -> Reply:
        commands.append(given)
        return Reply(ok=True, sentence="done")

    served.hub.on_command(receive)
    with client() as web:
        answer = web.post(f"{served.url}api/{path}", content=body.encode(), headers=own(served.url))
    assert (answer.status_code, answer.json()) == (200, {"ok": True, "sentence": "done"})
    assert commands == [command]


def test_a_change_that_the_station_refuses_says_so(served: Served) -> None:
    served.hub.on_command(lambda _: Reply(ok=False, sentence="no lane waits for a code"))
    with client() as web:
        answer = web.post(served.url + "api/scan", content=b'{"text":"SN1"}', headers=own(served.url))
    assert (answer.status_code, answer.json()["sentence"]) == (409, "no lane waits for a code")


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"text":7}', b"\xff", b"x" * 9000, b'{"text":"  "}'])
def test_a_body_that_is_wrong_is_refused(served: Served, body: bytes) -> None:
    with client() as web:
        answer = web.post(served.url + "api/scan", content=body, headers=own(served.url))
    assert answer.status_code in (400, 404, 413)


def test_every_answer_has_the_strict_policy_and_no_cors_header(served: Served) -> None:
    with client() as web:
        for path in ("", "healthz", "metrics", "nothing"):
            headers = web.get(served.url + path).headers
            assert "unsafe" not in headers["content-security-policy"]
            assert "default-src 'none'" in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
            assert not [name for name in headers if name.startswith("access-control")]


def test_beyond_the_loopback_interface_a_token_is_needed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no token"), serving(station(), "0.0.0.0:0"):
        pass
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    file.chmod(0o600)
    with serving(station(), "0.0.0.0:0", file) as url, client() as web:
        assert web.get(url).status_code == 401
        assert web.get(url + "metrics").status_code == 401
        assert web.get(url + "metrics", headers={"Authorization": "Bearer wrong"}).status_code == 401
        assert web.get(url + "metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
        refused = web.post(url + "api/login", json={"token": "wrong"}, headers=own(url))
        assert (refused.status_code, "set-cookie" in refused.headers) == (401, False)
        opened = web.post(url + "api/login", json={"token": TOKEN}, headers=own(url))
        assert opened.status_code == 200
        assert "httponly" in opened.headers["set-cookie"].lower()
        assert "samesite=strict" in opened.headers["set-cookie"].lower()
        assert TOKEN not in opened.headers["set-cookie"]
        assert "data-lane" in web.get(url).text  # the client keeps the cookie


def test_a_token_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN)
    file.chmod(0o644)
    with pytest.raises(ConfigError, match="other users can read it"):
        read_token(file)
    file.chmod(0o600)
    assert read_token(file) == TOKEN
    file.write_text("short")
    with pytest.raises(ConfigError, match="5 characters"):
        read_token(file)
    with pytest.raises(ConfigError, match="No such file"):
        read_token(tmp_path / "missing")


def test_a_port_of_another_program_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ServerError, match=f"127.0.0.1:{port}"), serving(station(), f"127.0.0.1:{port}"):
            pass


def test_an_address_is_taken_where_no_name_can_be_bent() -> None:
    gate = Gate("0.0.0.0", 8765, TOKEN)
    headers = {"authorization": f"Bearer {TOKEN}"}
    assert gate.refusal("GET", {"host": "192.0.2.7:8765"} | headers, None) is None
    refusal = gate.refusal("GET", {"host": "station.evil.example:8765"} | headers, None)
    assert refusal is not None
    assert refusal.status == 421


def test_the_metrics_are_prometheus_text(served: Served) -> None:
    with client() as web:
        answer = web.get(served.url + "metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    assert 'atota_station_lanes{station="bench 7",state="empty"} 8' in lines
    assert all(line.rpartition(" ")[2].isdigit() for line in lines)
