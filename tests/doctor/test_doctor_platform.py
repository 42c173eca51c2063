"""The platform: way, clock, key and product id; nothing secret is said, and nothing is asked of it."""

import base64
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import pytest

from atota.clock import SimulatedClock
from atota.doctor.platform import (
    PlatformSettings,
    examine_platform,
    judge_answer,
    judge_authorization,
    judge_clock,
    judge_key,
    judge_resource,
)
from atota.errors import ConfigError, ServerUnreachable
from atota.ota.probe import Reached

SECRET = base64.b64encode(b"nobody may ever read this text").decode()
NOW = SimulatedClock().time()


def reached(**fields: Any) -> Reached:
    usual: dict[str, Any] = {
        "server": "https://ota.example",
        "status": 404,
        "took_s": 0.02,
        "date": formatdate(NOW, usegmt=True),
        "asked_at": NOW,
    }
    return Reached(**usual | fields)


def unreachable(_server: str) -> Reached:
    raise ServerUnreachable("the name cannot be resolved", hint="Check the DNS settings.")


def examined(
    asked: PlatformSettings | None, look: Callable[[str], Reached] = lambda _: reached()
) -> dict[str, Any]:
    return {one.check: one for one in examine_platform(asked, clock=SimulatedClock(), look=look)}


def test_a_platform_that_nobody_named_is_not_looked_at() -> None:
    found = examined(None, unreachable)
    assert [one.state for one in found.values()] == ["unknown"]
    assert "--server" in found["platform"].next


def test_a_good_platform_has_nothing_but_good_findings() -> None:
    found = examined(PlatformSettings(server="ota.example", product_id="1000", key=lambda: SECRET))
    assert {one.state for one in found.values()} == {"ok"}
    assert list(found) == ["server", "clock", "key", "product id"]


def test_without_a_way_to_the_server_the_key_is_still_looked_at() -> None:
    found = examined(
        PlatformSettings(server="ota.example", product_id="1000", key=lambda: SECRET), unreachable
    )
    assert (found["server"].state, found["server"].next) == ("bad", "Check the DNS settings.")
    assert found["clock"].state == "unknown"
    assert found["key"].state == "ok"


@pytest.mark.parametrize(
    ("fields", "state", "words"),
    [
        ({}, "ok", "answers (HTTP 404) after 20 ms"),
        ({"status": 200}, "ok", "HTTP 200"),
        ({"status": 502}, "warning", "HTTP 502"),
        ({"status": 302, "location": "https://login.example/x"}, "warning", "login.example: a login page?"),
        ({"status": 302, "location": "/index.html"}, "ok", "HTTP 302"),
        ({"status": 302, "location": "http://[bad"}, "warning", "an invalid address"),
        ({"server": "http://ota.example"}, "warning", "without TLS"),
        ({"server": "http://127.0.0.1:8080"}, "ok", "answers"),
    ],
)
def test_any_answer_shows_that_the_way_is_free(fields: Any, state: str, words: str) -> None:
    found = judge_answer(reached(**fields))
    assert found.state == state
    assert words in found.says
    assert bool(found.next) is (state != "ok")


@pytest.mark.parametrize(
    ("skew_s", "state", "words"),
    [
        (None, "unknown", "does not send"),
        (0.0, "ok", "within 2 s"),
        (-60.0, "ok", "60 s off"),
        (61.0, "warning", "61 s behind the server's"),
        (-61.0, "warning", "61 s ahead of the server's"),
        (3600.0, "warning", "3600 s behind"),
        (3601.0, "bad", "more than the 3600 s for which a signature is valid"),
        (-86400.0, "bad", "86400 s ahead of"),
    ],
)
def test_a_clock_is_judged_by_how_long_a_signature_lives(
    skew_s: float | None, state: str, words: str
) -> None:
    found = judge_clock(skew_s, 3600)
    assert found.state == state
    assert words in found.says
    assert bool(found.next) is (state in ("warning", "bad"))


@pytest.mark.parametrize(
    ("date", "skew_s"),
    [
        (formatdate(NOW + 500, usegmt=True), 500),
        (formatdate(NOW - 5, usegmt=True), -5),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_the_skew_is_what_the_server_s_date_is_ahead(date: str | None, skew_s: float | None) -> None:
    assert reached(date=date).skew_s == skew_s


def no_file() -> str:
    raise ConfigError("key.txt: the access key cannot be read", hint="Correct the path.")


@pytest.mark.parametrize(
    ("read", "state", "words"),
    [
        (lambda: SECRET, "ok", "decodes to 30 bytes"),
        (lambda: SECRET[:-3], "bad", "not base64"),
        (lambda: "clé", "bad", "outside ASCII"),
        (lambda: "", "bad", "access key is empty"),
        (lambda: SECRET[:8], "warning", "decodes to 6 bytes, an odd length"),
        (lambda: SECRET * 10, "warning", "decodes to 300 bytes"),
        (no_file, "bad", "cannot be read"),
        (None, "unknown", "no access key is given"),
    ],
)
def test_a_key_is_judged_and_never_shown(read: Callable[[], str] | None, state: str, words: str) -> None:
    found = judge_key(read)
    assert found.state == state
    assert words in found.says
    assert SECRET[:8] not in found.says + found.next
    assert bool(found.next) is (state != "ok")


@pytest.mark.parametrize(
    ("product", "device", "state", "words"),
    [
        ("1000", None, "ok", "products/1000"),
        ("1000", "bench-1", "ok", "products/1000/devices/bench-1"),
        (None, None, "unknown", "none is given"),
        ("a/b", None, "bad", "not a product id"),
    ],
)
def test_what_the_key_belongs_to_is_told(
    product: str | None, device: str | None, state: str, words: str
) -> None:
    found = judge_resource(
        PlatformSettings(server="https://ota.test", product_id=product, device_name=device)
    )
    assert found.state == state
    assert words in found.says


def header(et: str) -> str:
    return f"version=2018-10-31&res=products%2F1&et={et}&method=md5&sign=SECRETSIGNATURE%3D"


@pytest.mark.parametrize(
    ("text", "state", "words"),
    [
        (header(str(int(NOW) + 100)), "ok", "valid for 100 s more"),
        (header(str(int(NOW) - 100)), "bad", "ended 100 s ago"),
        (header("never"), "warning", "no end of its validity"),
        ("", "bad", "empty"),
    ],
)
def test_a_header_made_elsewhere_is_judged_by_its_end_and_never_shown(
    text: str, state: str, words: str
) -> None:
    found = judge_authorization(lambda: text, NOW)
    assert found.state == state
    assert words in found.says
    assert "SECRETSIGNATURE" not in found.says + found.next


def test_a_header_stands_in_for_key_and_product_id() -> None:
    made = PlatformSettings(server="ota.example", authorization=lambda: header(str(int(NOW) + 100)))
    assert list(examined(made)) == ["server", "clock", "authorization"]
