"""The managers' page: who may see it, who may change it, and what it shows."""

import csv
import http.client
import io
import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest

from atota.errors import Outcome, ServerUnreachable
from atota.line import words
from atota.line.protocol import Presence
from atota.line.store import StoreFull
from atota.line.tables import disk, people, quota, stations
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


def test_a_chinese_browser_gets_the_page_in_chinese_and_no_word_is_missing(line: Line, folder: Path) -> None:
    work(line, folder)
    cookie = account(line, "wang", "engineer")
    for path in ("/", "/batch/B-1", f"/unit?q={imei_of(20)}", "/unit?q=x"):
        text = ask(line, "GET", path, Cookie=cookie, Accept_Language="zh-CN,zh;q=0.9,en;q=0.8")[2]
        assert 'lang="zh"' in text
        assert "查找单件" in text
        assert 'lang="en"' in ask(line, "GET", path, Cookie=cookie, Accept_Language="de, en;q=0.5")[2]
    wrong = ask(line, "POST", "/api/login", {"name": "x", "pin": "y"}, Accept_Language="zh")[2]
    assert "PIN 码错误" in wrong
    english, chinese = words.words("en"), words.words("zh")
    assert english.keys() == chinese.keys()
    for name, text in english.items():
        assert set(re.findall(r"{.*?}", text)) == set(re.findall(r"{.*?}", chinese[name])), name


def test_records_are_exported_from_the_page_as_csv_and_json_lines(line: Line, folder: Path) -> None:
    work(line, folder)
    assert "/export?batch=B-1&amp;format=csv" in ask(line, "GET", "/batch/B-1")[2]
    status, headers, text = ask(line, "GET", "/export?batch=B-1&format=csv")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert (status, len(rows)) == (200, 11)
    assert headers["content-disposition"] == "attachment; filename*=UTF-8''B-1.csv"
    assert {row["batch"] for row in rows} == {"B-1"}
    records = [json.loads(row) for row in ask(line, "GET", "/export?format=json")[2].splitlines()]
    assert [record["id"] for record in records] == [row["id"] for row in rows]
    cookie = account(line, "wang", "read")
    assert ask(line, "GET", "/export?format=csv")[0] == 401
    assert ask(line, "GET", "/export?format=csv", Host="evil.example")[0] == 421
    for _ in range(4):  # each gives its place free again
        assert ask(line, "GET", "/export?batch=none&format=json", Cookie=cookie)[::2] == (200, "")


def test_stations_are_shown_from_memory_while_the_database_takes_nothing(
    line: Line, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First it cannot store, as on a full disk; then it does not answer at all."""
    work(line, folder)
    key = line.key("st-2")
    client = line.client(key)

    def full(*_: object) -> None:
        raise StoreFull("No space left on device")

    monkeypatch.setattr(stations, "note_presence", full)
    with pytest.raises(ServerUnreachable, match="No space left"):
        client.presence(Presence(tool_version="9.9", lanes=4, running=3, backlog=77))
    text = ask(line, "GET", "/")[2]
    assert 'data-station="st-2" data-state="live"' in text
    assert "77 records wait" in text
    monkeypatch.setattr(line.store, "transaction", lambda **_: full())
    with pytest.raises(ServerUnreachable):
        client.presence(Presence(tool_version="9.9", lanes=4, running=3, backlog=78))
    status, _, text = ask(line, "GET", "/")
    assert (status, "78 records wait" in text, "The database does not answer" in text) == (200, True, True)
    assert ask(line, "GET", "/batch/B-1")[0] == 503


def test_without_the_database_only_people_who_are_known_see_the_stations(
    line: Line, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work(line, folder)
    cookie = account(line, "wang", "read")
    assert ask(line, "GET", "/", Cookie=cookie)[0] == 200

    def away(**_: object) -> None:
        raise StoreFull("it is away")

    monkeypatch.setattr(line.store, "transaction", away)
    assert ask(line, "GET", "/", Cookie=cookie)[0] == 200
    status, _, text = ask(line, "GET", "/")
    assert (status, "st-1" in text) == (503, False)


def test_a_disk_that_is_nearly_full_is_an_alarm_and_one_that_cannot_be_seen_is_none(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "of the database's disk is free" not in ask(line, "GET", "/")[2]
    with line.store.transaction() as session:
        part = disk.free_part(session)
    assert part is not None, "the database of the tests is on this machine"
    assert 0 < part < 1
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(total=1000, free=90))
    assert "Only 9.0 % of the database&#x27;s disk is free" in ask(line, "GET", "/")[2]
    assert "atota_line_disk_free_ratio 0.0900" in ask(line, "GET", "/metrics")[2].splitlines()

    def elsewhere(_: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(shutil, "disk_usage", elsewhere)
    assert "disk_free" not in ask(line, "GET", "/metrics")[2]


def test_a_session_ends_with_the_account_its_pin_and_its_time(line: Line) -> None:
    cookie = account(line, "wang", "engineer")
    other = account(line, "li", "read")
    new = {"batch": "B-7", "quota": "10"}
    with line.store.transaction() as session:
        session.run("UPDATE line.person SET role = 'read' WHERE name = 'wang'")
    assert ask(line, "POST", "/api/batch", new, Cookie=cookie)[0] == 403, "the role of now, not of the login"
    with line.store.transaction() as session:
        people.add(session, "wang", "engineer", "another pin")
        people.remove(session, "li")
    for one in (cookie, other):
        assert ask(line, "GET", "/", Cookie=one)[0] == 401
    last = account(line, "zhao", "read")
    line.page._sessions = {key: (person, 0.0) for key, (person, _) in line.page._sessions.items()}
    assert ask(line, "GET", "/", Cookie=last)[0] == 401
