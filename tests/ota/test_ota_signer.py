"""The Authorization header: known answers, known mistakes, and nothing shown of the key."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atota.clock import SimulatedClock
from atota.errors import UsageError
from atota.ota.onenet import signer

KEY = "KuF3NT/jUBJ62LNBB/A8XZA9CqS3Cu79B/ABmfA1UCw="  # the sample key of the platform's documentation
ET = 1537255523

VECTORS = [
    (ET, "sha1", "products/123123", "2018-10-31", "lsaPSiiGvEFFjXu5WU7a6IkScqE="),
    (ET, "md5", "products/123123", "2018-10-31", "M3jB6jcSNUuGcvW3dFcrWA=="),
    (ET, "sha256", "products/123123", "2018-10-31", "tuFMd8Cc5krZO+RiNaW4mad5tauSFq2J89Gd70MXQPI="),
    (ET, "sha1", "products/123123/devices/mydev", "2018-10-31", "p2Bv5QYrZolQCtt68923gtxRCVk="),
    (
        ET,
        "sha256",
        "products/123123/devices/mydev",
        "2018-10-31",
        "dL9mxHdJXyd2TZcmTna60TMUei2dYU5W6iOow7fH/7w=",
    ),
    (ET, "sha1", "userid/12321", "2022-05-01", "EWI3xcVT+9vvnk/WOel6VYmSU4I="),
    # The digest holds a zero byte, over which clients with C strings stumble.
    (1537255613, "sha1", "products/123123", "2018-10-31", "BeA4+CxaAE/o9rwrG9DSPZl2sJU="),
]

WRONG_WAYS = {
    "key not decoded": "NmCZAvgA6M4uFdFIv/BeoUlpH4E=",
    "res encoded before signing": "Y0OExXhJD4FhXf39G0AhuHjESCM=",
    "backslash-n": "TOd8QSycWWPDQm0RVfAcQBdOIH0=",
    "order version,res,et,method": "iFcN9uWkLif3T71AkpwjJdfsSPo=",
    "key=value lines": "2deMCUM++mbfvHg/OfAK8SFxLyE=",
}


@pytest.mark.parametrize(("et", "method", "res", "version", "expected"), VECTORS)
def test_known_answers(et: int, method: str, res: str, version: str, expected: str) -> None:
    key = signer.decode_key(KEY)
    assert signer.sign(key, et=et, method=method, res=res, version=version) == expected


@pytest.mark.parametrize("wrong", WRONG_WAYS.values(), ids=WRONG_WAYS.keys())
def test_the_known_mistakes_are_not_made(wrong: str) -> None:
    key = signer.decode_key(KEY)
    assert signer.sign(key, et=ET, method="sha1", res="products/123123") != wrong


def test_the_published_header_byte_for_byte() -> None:
    made = signer.authorization(signer.decode_key(KEY), et=ET, method="sha1", res="products/123123")
    assert made == (
        "version=2018-10-31&res=products%2F123123&et=1537255523"
        "&method=sha1&sign=lsaPSiiGvEFFjXu5WU7a6IkScqE%3D"
    )


def test_the_validity_counts_from_the_clock_and_exceeds_32_bits() -> None:
    clock = SimulatedClock(start=7559005292.0)
    auth = signer.KeyAuth(KEY, signer.product_res("123123"), clock=clock)
    assert signer.fields(auth.header())["et"] == "7559008892"
    clock.sleep(10)
    assert signer.fields(auth.header())["et"] == "7559008902"


def test_resources_of_product_and_device() -> None:
    assert signer.product_res(" 123123 ") == "products/123123"
    assert signer.device_res("123123", "mydev") == "products/123123/devices/mydev"


@pytest.mark.parametrize("bad", ["", " ", "12/3", "a b", "a\nb"])
def test_a_product_id_that_would_change_the_signature_is_refused(bad: str) -> None:
    with pytest.raises(UsageError, match="product id"):
        signer.product_res(bad)


@pytest.mark.parametrize("bad", ["", "   ", "secret!key", "KuF3NT/jUBJ62LN", "schlüssel=", "===="])
def test_a_key_that_is_none_is_refused_without_being_shown(bad: str) -> None:
    with pytest.raises(UsageError, match="access key") as caught:
        signer.KeyAuth(bad, "products/1", clock=SimulatedClock())
    if bad.strip(" ="):
        assert bad.strip() not in str(caught.value) + repr(caught.value) + caught.value.hint


def test_a_key_with_a_line_end_from_a_file_is_taken() -> None:
    assert signer.decode_key(KEY + "\r\n") == base64.b64decode(KEY)


def test_unknown_methods_and_validities_are_refused() -> None:
    with pytest.raises(UsageError, match="signing method"):
        signer.KeyAuth(KEY, "products/1", clock=SimulatedClock(), method="sha512")
    with pytest.raises(UsageError, match="signing method"):
        signer.sign(b"k", et=1, method="SHA1", res="products/1")
    with pytest.raises(UsageError, match="validity"):
        signer.KeyAuth(KEY, "products/1", clock=SimulatedClock(), ttl_s=0)


def test_no_repr_shows_a_secret() -> None:
    auth = signer.KeyAuth(KEY, "products/1", clock=SimulatedClock())
    given_auth = signer.GivenAuth(auth.header())
    signature = signer.fields(auth.header())["sign"]
    for text in (repr(auth), repr(given_auth)):
        assert KEY not in text
        assert signature not in text
        assert "products" in text


def test_a_given_header_is_used_as_it_is() -> None:
    header = "version=2018-10-31&res=products/33704&et=1&method=md5&sign=a+b/c=="
    assert signer.GivenAuth(header).header() == header
    assert signer.GivenAuth(f" Authorization: {header}\n").header() == header
    assert signer.fields(header)["sign"] == "a+b/c=="  # a plus is a plus
    assert "a+b/c==" in signer.GivenAuth(header).secrets()


@pytest.mark.parametrize("bad", ["", " ", "a\r\nHost: elsewhere", "größe", "Authorization:"])
def test_a_given_header_that_cannot_be_one_is_refused(bad: str) -> None:
    with pytest.raises(UsageError, match="authorization"):
        signer.GivenAuth(bad)


def test_masking_hides_a_header_that_has_no_parts_whole() -> None:
    assert signer.masked("opaque-secret") == "***"
    assert signer.masked("a=1&sign=xyz%3D&b=2") == "a=1&sign=***&b=2"


def test_expiry_is_read_from_the_header() -> None:
    assert signer.expired_since("et=100&sign=x", 160.0) == 60.0
    assert signer.expired_since("et=100&sign=x", 99.0) is None
    assert signer.expired_since("sign=x", 99.0) is None
    assert signer.expired_since("et=soon", 99.0) is None


@given(
    key=st.binary(min_size=1, max_size=64),
    et=st.integers(0, 2**40),
    method=st.sampled_from(signer.METHODS),
    name=st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="/"), min_size=1),
)
def test_every_header_reads_back_to_what_was_signed(key: bytes, et: int, method: str, name: str) -> None:
    res = signer.device_res("1", name)
    header = signer.authorization(key, et=et, method=method, res=res)
    assert header.isascii()
    read = signer.fields(header)
    assert list(read) == ["version", "res", "et", "method", "sign"]
    assert read["res"] == res
    assert read["sign"] == signer.sign(key, et=et, method=method, res=res)
