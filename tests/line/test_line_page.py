"""The managers' page: who may see it, who may change it, and what it shows."""

import http.client
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from atota.errors import Outcome
from atota.line.tables import people, quota
from tests.line.servers import Line, sent
from tests.line.stations import imei_of, journal_in, write

Answer = tuple[int, dict[str, str], str]


def ask(line: Line, method: str, path: str, body: object = None, **headers: str) -> Answer:
    """One request as a browser would send it, with any of its headers replaced; "" leaves one out."""
    parts = urlsplit(line.url)
    given = {"Host": parts.netloc}
    if method == "POST":
        given |= {"Origin": line.url, "Content-Type": "application/json", "X-Atota": "1"}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 0, timeout=20)
    try:
        connection.putrequest(method, path, skip_host=True)
        for name, value in given.items():
            if value:
                connection.putheader(name, value)
        data = b"" if body is None else json.dumps(body).encode()
        connection.putheader("Content-Length", str(len(data)))
        connection.endheaders(data)
        response = connection.getresponse()
        text = response.read().decode()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, text
    finally:
        connection.close()


def account(line: Line, name: str, role: people.Role, pin: str = "4711") -> str:
    """Make an account and log in; return the cookie."""
    with line.store.transaction() as session:
        people.add(session, name, role, pin)
    status, headers, _ = ask(line, "POST", "/api/login", {"name": name, "pin": pin})
    assert status == 200
    cookie = headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    return cookie.partition(";")[0]


def work(line: Line, folder: Path) -> None:
    with journal_in(folder) as journal:
        for number in range(8):
            write(journal, number, station="st-1", outcome=Outcome.UPDATED)
        write(journal, 20, station="st-1", outcome=Outcome.WRITE_FAILED, code="write", stage="validate")
        write(journal, 20, station="st-1")
        write(journal, 21, station="st-1", outcome=Outcome.OLD_VERSION, code="<script>alert(1)</script>")
        sent(line.outbox(journal, line.key("st-1")))


def test_without_accounts_the_page_is_open_to_this_machine_for_reading(line: Line, folder: Path) -> None:
    work(line, folder)
    status, headers, text = ask(line, "GET", "/")
    assert status == 200
    assert 'data-station="st-1" data-state="live"' in text
    assert '<a href="/batch/B-1">B-1</a>' in text
    assert "80.0 %" in text
    assert "90.0 %" in text
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "access-control-allow-origin" not in headers
    assert ask(line, "POST", "/api/batch", {"batch": "B", "quota": 5})[0] == 401


def test_texts_from_outside_are_text_on_the_page(line: Line, folder: Path) -> None:
    work(line, folder)
    for path in ("/", "/batch/B-1", f"/unit?q={imei_of(21)}", "/unit?q=<script>alert(1)</script>"):
        status, _, text = ask(line, "GET", path.replace("<", "%3C").replace(">", "%3E"))
        assert status == 200
        assert "<script>alert" not in text, path
    assert "validate:write-failed:write" in ask(line, "GET", "/batch/B-1")[2]
    assert "&lt;script&gt;alert(1)" in ask(line, "GET", "/batch/B-1")[2]


def test_a_unit_shows_its_whole_history(line: Line, folder: Path) -> None:
    work(line, folder)
    text = ask(line, "GET", f"/unit?q={imei_of(20)}")[2]
    assert text.index("write-failed") < text.index("<td>updated</td>")
    assert "No record is known" in ask(line, "GET", "/unit?q=nothing")[2]


def test_with_accounts_a_login_is_needed_to_see_anything(line: Line, folder: Path) -> None:
    work(line, folder)
    cookie = account(line, "wang", "read")
    status, _, text = ask(line, "GET", "/")
    assert (status, "B-1" in text, 'name="pin"' in text) == (401, False, True)
    assert ask(line, "GET", "/", Cookie=cookie)[0] == 200
    assert ask(line, "GET", "/", Cookie="atota-line=guess")[0] == 401
    assert ask(line, "POST", "/api/logout", {}, Cookie=cookie)[0] == 200
    assert ask(line, "GET", "/", Cookie=cookie)[0] == 401


def test_roles_may_do_what_they_may_and_an_audit_row_says_who(line: Line) -> None:
    reader, lead, engineer = (account(line, role, role) for role in people.ROLES)
    line.key("st-9")
    new = {"batch": "B-7", "quota": "10", "state": "open"}
    assert ask(line, "POST", "/api/batch", new, Cookie=reader)[0] == 403
    assert ask(line, "POST", "/api/batch", new, Cookie=lead)[0] == 200
    assert ask(line, "POST", "/api/revoke", {"station": "st-9"}, Cookie=lead)[0] == 403
    assert ask(line, "POST", "/api/revoke", {"station": "st-9"}, Cookie=engineer)[0] == 200
    status, _, text = ask(line, "POST", "/api/writeoff", {"grant": "g", "reason": "x"}, Cookie=engineer)
    assert (status, "no grant" in text) == (404, True)
    with line.store.transaction() as session:
        rows = session.rows("SELECT person, action FROM line.audit ORDER BY number")
        assert quota.allotments(session, "B-7") == []
    assert rows == [("lead", "batch"), ("engineer", "revoke")]


def test_five_wrong_pins_lock_an_account_and_pins_are_no_plain_text(line: Line) -> None:
    account(line, "wang", "lead", pin="9876")
    for _ in range(5):
        assert ask(line, "POST", "/api/login", {"name": "wang", "pin": "0000"})[0] == 401
    assert ask(line, "POST", "/api/login", {"name": "wang", "pin": "9876"})[0] == 401
    with line.store.transaction() as session:
        assert session.value("SELECT locked_until > now() FROM line.person")
        assert b"9876" not in bytes(session.value("SELECT pin FROM line.person"))
        session.run("UPDATE line.person SET locked_until = NULL")
    assert ask(line, "POST", "/api/login", {"name": "wang", "pin": "9876"})[0] == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": ""}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"X_Atota": ""}, 403),
        ({"Content_Type": "text/plain"}, 415),
        ({"Content_Type": "application/x-www-form-urlencoded"}, 415),
        ({"Host": "evil.example"}, 421),
    ],
    ids=str,
)
def test_a_change_from_another_page_is_refused(line: Line, headers: dict[str, str], status: int) -> None:
    cookie = account(line, "wang", "engineer")
    new: dict[str, Any] = {"batch": "B-7", "quota": "10"}
    assert ask(line, "POST", "/api/batch", new, Cookie=cookie, **headers)[0] == status
    assert ask(line, "GET", "/api/batch", Cookie=cookie)[0] == 405
    assert ask(line, "POST", "/api/batch", new, Cookie=cookie)[0] == 200


def test_a_foreign_host_name_sees_nothing(line: Line) -> None:
    """A name of another's that resolves to this machine: DNS rebinding."""
    port = urlsplit(line.url).port
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", f"127.0.0.1:{(port or 0) + 1}"):
        for path in ("/", "/metrics", "/unit?q=1"):
            assert ask(line, "GET", path, Host=host)[0] == 421, host


def test_the_numbers_are_there_for_prometheus(line: Line, folder: Path) -> None:
    work(line, folder)
    account(line, "wang", "read")
    with line.store.transaction() as session:
        quota.new_batch(session, "B-1", 100)
    status, headers, text = ask(line, "GET", "/metrics")
    assert status == 200
    assert headers["content-type"].startswith("text/plain; version=0.0.4")
    for number in ("atota_line_records 11", 'atota_line_station_live{station="st-1"} 1'):
        assert number in text.splitlines()
    assert 'atota_line_batch_tickets{batch="B-1",kind="quota"} 100' in text.splitlines()
    assert ask(line, "GET", "/healthz")[0] == 200
