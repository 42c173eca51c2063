"""Requests are checked before they are sent; answers are read tolerantly, and nonsense is named."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atota.errors import BadAnswer, UsageError
from atota.ota.base import CheckQuery, ContentRange, Task
from atota.ota.onenet.wire import (
    check_params,
    decode_envelope,
    decode_task,
    parse_ip_port,
)
from atota.ota.replies import first_words, parse_content_range, retry_after

GOOD: dict[str, Any] = {"dev_id": "6523", "manuf": "001", "model": "00108", "version": "1.2"}
TOKEN = "ota_iF0hnXrq2CxLrP8vZ39l"
REAL = (  # an answer recorded by two independent clients
    b'{"errno":0,"error":"succ","data":{"target":"V1","token":"ota_iF0hnXrq2CxLrP8vZ39l","size":22,'
    b'"md5":"ad2f4e4ea2a27eace7e4913139f8f01a","signal":10,"power":50,"retry":0,"interval":0,"type":1}}'
)
DATA: dict[str, Any] = json.loads(REAL)["data"]


def test_the_query_string_keeps_leading_zeros_and_the_pages_order() -> None:
    query = CheckQuery(**GOOD, signals=10, powers=30, cdn=True)
    assert list(check_params(query).items()) == [
        ("dev_id", "6523"),
        ("manuf", "001"),
        ("model", "00108"),
        ("type", "1"),
        ("version", "1.2"),
        ("signals", "10"),
        ("powers", "30"),
        ("cdn", "true"),
    ]


def test_optional_values_that_are_not_known_are_not_sent() -> None:
    params = check_params(CheckQuery(**GOOD, type="sota"))
    assert params["type"] == "2"
    assert params["cdn"] == "false"
    assert "signals" not in params
    assert "powers" not in params


@pytest.mark.parametrize(
    "bad",
    [
        {"dev_id": ""},
        {"dev_id": "12a"},
        {"dev_id": "-5"},
        {"dev_id": "１２"},  # full-width digits
        {"dev_id": "1" * 21},
        {"manuf": "1"},
        {"manuf": "0001"},
        {"manuf": "中国移动"},
        {"model": "108"},
        {"model": "M5310"},
        {"model": "00108\n"},
        {"version": ""},
        {"version": "1.2 beta"},
        {"version": "v" * 21},
        {"version": "版本"},
        {"type": "both"},
        {"signals": -1},
        {"signals": 99},
        {"powers": 101},
        {"powers": -1},
    ],
)
def test_a_query_the_platform_would_punish_cannot_be_sent(bad: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        check_params(CheckQuery(**{**GOOD, **bad}))


def test_a_recorded_answer_becomes_a_task() -> None:
    task = decode_task(decode_envelope(REAL).data)
    assert task == Task(
        target="V1",
        token=TOKEN,
        size=22,
        md5="ad2f4e4ea2a27eace7e4913139f8f01a",
        signal=10,
        power=50,
        retry=0,
        interval=0,
        kind="full",
        ip_port=None,
    )


def test_quoted_numbers_upper_case_md5_and_unknown_keys_are_taken() -> None:
    odd: dict[str, object] = {name: str(value) for name, value in DATA.items()} | {
        "new": [1, {"x": None}],
        "type": "2",
    }
    odd["md5"] = str(odd["md5"]).upper()
    task = decode_task(odd)
    assert (task.size, task.signal, task.kind, task.md5) == (22, 10, "delta", DATA["md5"])


@given(
    st.permutations(list(DATA)), st.sets(st.sampled_from(["signal", "power", "retry", "interval", "type"]))
)
def test_the_order_of_keys_and_missing_optional_ones_do_not_matter(keys: list[str], left: set[str]) -> None:
    text = json.dumps({"data": {k: DATA[k] for k in keys if k not in left}, "errno": 0, "error": "succ"})
    task = decode_task(decode_envelope(text.encode()).data)
    assert (task.target, task.token, task.size, task.md5) == ("V1", TOKEN, 22, DATA["md5"])
    assert task.signal == (0 if "signal" in left else 10)


def test_nulls_count_as_missing() -> None:
    task = decode_task({**DATA, "signal": None, "ipPort": None, "retry": None}, cdn=True)
    assert (task.signal, task.retry, task.ip_port) == (0, 0, None)


def test_the_address_counts_only_if_it_was_asked_for() -> None:
    data = {**DATA, "ipPort": "172.19.3.3:8002"}
    assert decode_task(data).ip_port is None
    assert decode_task(data, cdn=True).ip_port == "172.19.3.3:8002"
    assert decode_task({**DATA, "ipPort": "no address"}).ip_port is None
    with pytest.raises(BadAnswer, match="address"):
        decode_task({**DATA, "ipPort": "no address"}, cdn=True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"md5": "dfkdajkfd"}, "MD5"),  # the placeholder of the platform's own page
        ({"md5": "0" * 31 + "g"}, "MD5"),
        ({"size": -1}, "size"),
        ({"size": "many"}, "size"),
        ({"size": True}, "size"),
        ({"token": ""}, "token"),
        ({"token": "../../etc"}, "token"),
        ({"token": ".."}, "token"),
        ({"token": "a b"}, "token"),
        ({"target": ""}, "target"),
        ({"target": "V1\x00"}, "target"),
        ({"type": 3}, "type"),
        ({"retry": -1}, "retry"),
    ],
)
def test_a_task_that_cannot_be_right_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(BadAnswer, match=words):
        decode_task({**DATA, **change})


@pytest.mark.parametrize("name", ["target", "token", "size", "md5"])
def test_what_a_task_needs_must_be_there(name: str) -> None:
    with pytest.raises(BadAnswer, match=name):
        decode_task({k: v for k, v in DATA.items() if k != name})


@pytest.mark.parametrize("data", [None, [], "text", 5])
def test_missing_data_is_named(data: object) -> None:
    with pytest.raises(BadAnswer, match="task"):
        decode_task(data)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "empty"),
        (b"<html><head><title>Welcome to nginx</title></head></html>", "web page.*Welcome to nginx"),
        (b"<!DOCTYPE html><p>Log in to <b>Cafe</b></p>", "web page.*Log in to Cafe"),
        (b"Bad gateway", "not a JSON object.*Bad gateway"),
        (b"[1,2]", "not a JSON object"),
        (b'{"error":"succ"}', "errno"),
        (b'{"errno":"none"}', "errno"),
        (b'{"errno":0', "JSON|truncated"),
        (b"{" + b'"a":[' * 30000, "documentation"),
        (b"\xff\xfe\x00", "not a JSON object"),
        (b'{"errno":0,"error":"\xe1"}', "not UTF-8"),
    ],
)
def test_answers_that_are_none_say_what_came(body: bytes, words: str) -> None:
    with pytest.raises(BadAnswer, match=words):
        decode_envelope(body)


def test_an_envelope_may_have_a_byte_order_mark_and_quoted_errno() -> None:
    envelope = decode_envelope(b'\xef\xbb\xbf {"errno":"11","error":null}')
    assert (envelope.errno, envelope.data) == (11, None)


@given(st.binary(max_size=200) | st.text().map(lambda t: json.dumps({"errno": t}).encode()))
def test_any_bytes_are_an_envelope_or_a_bad_answer(body: bytes) -> None:
    try:
        said = repr(decode_envelope(body).errno)
    except BadAnswer as error:
        said = str(error)
    assert said.isprintable()


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*DATA, "ipPort", "x"]), inner),
    max_leaves=8,
)


@given(_JSON, st.booleans())
def test_any_json_is_a_task_or_a_bad_answer(data: object, cdn: bool) -> None:
    try:
        task = decode_task(data, cdn=cdn)
    except BadAnswer:
        return
    assert len(task.md5) == 32


@given(st.sampled_from([*DATA, "ipPort"]), _JSON)
def test_one_odd_value_is_taken_or_named(name: str, value: object) -> None:
    try:
        task = decode_task({**DATA, name: value}, cdn=True)
    except BadAnswer:
        return
    assert task.size >= 0
    assert task.kind in ("full", "delta")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("172.19.3.3", ("172.19.3.3", None)),
        ("172.19.3.3:8002", ("172.19.3.3", 8002)),
        ("183.230.40.50:80", ("183.230.40.50", 80)),
    ],
)
def test_documented_addresses(text: str, expected: tuple[str, int | None]) -> None:
    assert parse_ip_port(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "host:80", "1.2.3.4:0", "1.2.3.4:65536", "1.2.3.4:", "[::1]:80", "1.2.3.256", "1.2.3.4/x", "1.2.3"],
)
def test_other_addresses_are_refused(text: str) -> None:
    with pytest.raises(BadAnswer):
        parse_ip_port(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bytes 0-99/200", ContentRange(0, 99, 200)),
        ("0-99/200", ContentRange(0, 99, 200)),
        ("bytes=5-9/*", ContentRange(5, 9, None)),
        ("BYTES 5-5/6", ContentRange(5, 5, 6)),
        (None, None),
        ("", None),
        ("bytes */200", None),
        ("bytes 9-5/200", None),
        ("bytes 0-200/200", None),
        ("bytes a-b/c", None),
    ],
)
def test_content_range_forms(text: str | None, expected: ContentRange | None) -> None:
    assert parse_content_range(text) == expected


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("7", 7.0), (" 7 ", 7.0), ("\x1c7", 7.0), ("999999", 60.0), ("soon", None), ("", None), (None, None)],
)
def test_the_wait_that_a_server_asks_for_is_bounded_or_none(text: str | None, seconds: float | None) -> None:
    assert retry_after(text) == seconds


def test_first_words_are_short_and_printable() -> None:
    words = first_words(b"\x00\x1b[31m" + b"word " * 100)
    assert words.isprintable()
    assert len(words) < 80


def test_a_task_never_shows_its_token() -> None:
    task = decode_task(DATA)
    shown = [repr(task), str(task), f"{task}", repr([task]), repr(list(task.__rich_repr__()))]
    assert all(TOKEN not in text and "V1" in text for text in shown)
