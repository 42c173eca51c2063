"""The key, the signature and the download token are in no error, repr or log, whatever the server says."""

import hashlib
import json
import logging
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atota.clock import SimulatedClock
from atota.errors import AtotaError
from atota.ota.base import CheckQuery, Task
from atota.ota.cache import Cache
from atota.ota.download import fetch
from atota.ota.http import HttpClient
from atota.ota.onenet.generic import GenericPlatform
from atota.ota.onenet.signer import GivenAuth, KeyAuth, fields, product_res
from atota.ota.secrets import scrub, scrub_log

KEY = "KuF3NT/jUBJ62LNBB/A8XZA9CqS3Cu79B/ABmfA1UCw="
TOKEN = "ota_iF0hnXrq2CxLrP8vZ39l"
ODD_TOKEN = "Zz9-other.form~of_token"
QUERY = CheckQuery(dev_id="6523", manuf="001", model="00108", version="1.2")

CALLS: list[Callable[[GenericPlatform, str], object]] = [
    lambda c, t: c.check(QUERY),
    lambda c, t: c.tasking("1"),
    lambda c, t: c.check_token("1", t),
    lambda c, t: c.report_step("1", t, 5),
    lambda c, t: c.report_version("1", "1.0"),
    lambda c, t: _download(c, t),
]

KNOW_THE_TOKEN = (2, 3, 5)  # the others cannot tell a token of an undocumented form from a word


def _download(client: GenericPlatform, token: str) -> object:
    task = Task(
        target="V", token=token, size=10, md5=hashlib.md5(b"0123456789").hexdigest(), retry=1, interval=1
    )
    with tempfile.TemporaryDirectory() as folder:
        return fetch(client, task, "1", Cache(Path(folder)), clock=SimulatedClock())


def _texts(error: BaseException) -> Iterator[str]:
    link: BaseException | None = error
    while link is not None:
        yield str(link)
        yield repr(link)
        yield repr(vars(link)) if isinstance(link, AtotaError) else ""
        link = link.__cause__
    yield "".join(traceback.format_exception(error))


def _hostile(shape: str, request: httpx.Request, token: str) -> httpx.Response:
    """An answer that throws back everything it was sent."""
    header = request.headers.get("Authorization", "")
    echo = f"{header} {fields(header).get('sign', '')} {token} {quote(token)} {request.url} {KEY}"
    match shape:
        case "html":
            return httpx.Response(200, html=f"<html><title>{echo}</title>")
        case "500":
            return httpx.Response(500, text=echo)
        case "404":
            return httpx.Response(404, text=f"{token} {KEY}")
        case "403":
            return httpx.Response(403, text=header)
        case "errno":
            return httpx.Response(200, json={"errno": 21, "error": echo})
        case "errno7":
            return httpx.Response(200, json={"errno": 7, "error": token})
        case "md5":
            data = {"target": "V", "token": token, "size": 1, "md5": token}
            return httpx.Response(200, json={"errno": 0, "data": data})
        case "address":
            data = {"target": token, "token": echo, "size": echo, "md5": echo, "ipPort": token}
            return httpx.Response(200, json={"errno": 0, "data": data})
        case "redirect":
            return httpx.Response(302, headers={"Location": f"http://{token}.example/{token}?{quote(echo)}"})
        case "range":
            return httpx.Response(206, headers={"Content-Range": f"bytes 1-2/{token}"}, text="x")
        case "text":
            return httpx.Response(200, text=echo)
        case _:
            raise httpx.ConnectError(f"cannot connect: {request.url} {header}")


SHAPES = [
    "html", "500", "404", "403", "errno", "errno7", "md5", "address", "redirect", "range", "text", "network",
]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    shape=st.sampled_from(SHAPES),
    call=st.sampled_from(CALLS),
    token=st.sampled_from([TOKEN, ODD_TOKEN]),
    given_whole=st.booleans(),
    method=st.sampled_from(["md5", "sha1", "sha256"]),
    start=st.integers(0, 2**33),
)
def test_no_error_shows_a_secret(
    shape: str,
    call: Callable[[GenericPlatform, str], object],
    token: str,
    given_whole: bool,
    method: str,
    start: int,
) -> None:
    clock = SimulatedClock(start=float(start % 2**31))
    signer = KeyAuth(KEY, product_res("1"), clock=clock, method=method)
    auth = GivenAuth(signer.header()) if given_whole else signer
    if CALLS.index(call) not in KNOW_THE_TOKEN:
        token = TOKEN
    signatures: set[str] = set()
    waits: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        signatures.add(fields(request.headers.get("Authorization", "")).get("sign", ""))
        if shape in ("html", "range", "text") and request.url.path.endswith("/check") and call is CALLS[-1]:
            return httpx.Response(200, json={"errno": 0})
        return _hostile(shape, request, token)

    with GenericPlatform(
        HttpClient(
            "ota.example",
            auth,
            clock=clock,
            on_wait=lambda why, seconds: waits.append(why),
            transport=httpx.MockTransport(handler),
        )
    ) as client:
        texts = [repr(client), repr(auth)]
        try:
            texts.append(repr(call(client, token)))
        except AtotaError as error:
            texts.extend(_texts(error))
    secrets = {KEY, quote(KEY, safe=""), token, *signatures, *map(quote, signatures)} - {""}
    for text in [*texts, *waits]:
        assert not [secret for secret in secrets if secret in text]


def test_the_http_librarys_log_shows_neither_token_nor_device(caplog: pytest.LogCaptureFixture) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"errno": 0})

    auth = KeyAuth(KEY, product_res("1"), clock=SimulatedClock())
    caplog.set_level(logging.DEBUG)
    with GenericPlatform(
        HttpClient("ota.example", auth, clock=SimulatedClock(), transport=httpx.MockTransport(handler))
    ) as client:
        client.check_token("6523", ODD_TOKEN)
    assert "ota.example/ota/south/download/***/check" in caplog.text
    assert ODD_TOKEN not in caplog.text
    assert "6523" not in caplog.text


def test_scrubbing_hides_every_form_and_leaves_the_rest() -> None:
    sign = "a/b+c=="
    text = f"see {sign} and {quote(sign, safe='')} and sign={sign}&x "
    text += (
        f"at /download/{ODD_TOKEN}/check?dev_id=1 {TOKEN} {{'token': '{ODD_TOKEN}', \"token\":\"{ODD_TOKEN}"
    )
    shown = scrub(text, [sign])
    assert sign not in shown
    assert quote(sign, safe="") not in shown
    assert ODD_TOKEN not in shown
    assert TOKEN not in shown
    assert shown.startswith("see *** and *** and sign=***&x at /download/***/check")
    assert scrub("the token check: a token, sign here") == "the token check: a token, sign here"
    assert scrub("the quick brown fox", ["", "abc"]) == "the quick brown fox"
    assert "dev_id" not in scrub_log("GET http://h/p?dev_id=5")


def test_a_task_in_json_is_the_only_place_of_its_token() -> None:
    data = {"target": "V", "token": TOKEN, "size": 1, "md5": "0" * 32}
    assert TOKEN in json.dumps(data)
    assert TOKEN not in repr(Task(target="V", token=TOKEN, size=1, md5="0" * 32))
