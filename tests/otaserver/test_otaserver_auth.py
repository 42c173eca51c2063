import base64
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atota.otaserver.auth import KeyRing, verify

# The sample key that the platform's documents print, and signatures of it. The first is published;
# the others were computed once, apart from atota.
SAMPLE_KEY = "KuF3NT/jUBJ62LNBB/A8XZA9CqS3Cu79B/ABmfA1UCw="
KEY = base64.b64decode(SAMPLE_KEY)
NOW = 1537255000.0
RING = KeyRing("123123", KEY, {"mydev": KEY})
OTHER = b"another key that is fake"

RIGHT = [
    ("1537255523", "sha1", "products/123123", "lsaPSiiGvEFFjXu5WU7a6IkScqE="),
    ("1537255523", "md5", "products/123123", "M3jB6jcSNUuGcvW3dFcrWA=="),
    ("1537255523", "sha256", "products/123123", "tuFMd8Cc5krZO+RiNaW4mad5tauSFq2J89Gd70MXQPI="),
    ("1537255523", "sha1", "products/123123/devices/mydev", "p2Bv5QYrZolQCtt68923gtxRCVk="),
    ("1537255523", "sha256", "products/123123/devices/mydev", "dL9mxHdJXyd2TZcmTna60TMUei2dYU5W6iOow7fH/7w="),
    ("1537255613", "sha1", "products/123123", "BeA4+CxaAE/o9rwrG9DSPZl2sJU="),
]
WRONG = [
    ("NmCZAvgA6M4uFdFIv/BeoUlpH4E=", "the key was not base64-decoded"),
    ("Y0OExXhJD4FhXf39G0AhuHjESCM=", "res was percent-encoded before signing"),
    ("TOd8QSycWWPDQm0RVfAcQBdOIH0=", "backslash and an n"),
    ("iFcN9uWkLif3T71AkpwjJdfsSPo=", "in the order of the header"),
    ("2deMCUM++mbfvHg/OfAK8SFxLyE=", "key=value lines"),
]
RIGHT_SHA1 = RIGHT[0][3]


def header(
    sign: str,
    *,
    et: str = "1537255523",
    method: str = "sha1",
    res: str = "products/123123",
    version: str = "2018-10-31",
    encoded: bool = True,
) -> str:
    def shown(value: str) -> str:
        return quote(value, safe="") if encoded else value

    return f"version={version}&res={shown(res)}&et={et}&method={method}&sign={shown(sign)}"


@pytest.mark.parametrize("encoded", [True, False])
@pytest.mark.parametrize(("et", "method", "res", "sign"), RIGHT)
def test_known_signatures_are_accepted_encoded_or_not(
    et: str, method: str, res: str, sign: str, encoded: bool
) -> None:
    verdict = verify(header(sign, et=et, method=method, res=res, encoded=encoded), RING, NOW)
    assert verdict.ok, verdict.reason
    assert verdict.device == ("mydev" if "devices" in res else None)


@pytest.mark.parametrize(("sign", "reason"), WRONG)
def test_each_common_mistake_is_named(sign: str, reason: str) -> None:
    verdict = verify(header(sign), RING, NOW)
    assert not verdict.ok
    assert reason in verdict.reason


@pytest.mark.parametrize(
    ("sign", "reason"),
    [
        (base64.b64decode(RIGHT_SHA1).hex(), "sent in hex"),
        (base64.b64encode(base64.b64decode(RIGHT_SHA1).hex().encode()).decode(), "the hex digest was base64"),
        (quote(RIGHT_SHA1, safe=""), "encoded twice"),
        (RIGHT_SHA1.rstrip("="), "padding"),
        ("AAAA" + RIGHT_SHA1[4:], "does not fit"),
    ],
)
def test_a_signature_in_the_wrong_form_is_told_apart(sign: str, reason: str) -> None:
    verdict = verify(header(sign), RING, NOW)
    assert not verdict.ok
    assert reason in verdict.reason


def test_a_plus_that_became_a_space_and_url_safe_base64_are_told_apart() -> None:
    et, _, _, sign = RIGHT[5]
    spaced = verify(header(sign.replace("+", " "), et=et), RING, NOW)
    safe = verify(header(sign.replace("+", "-").replace("/", "_"), et=et), RING, NOW)
    assert "became a space" in spaced.reason
    assert "URL-safe" in safe.reason
    assert not spaced.ok
    assert not safe.ok


def test_product_and_device_keys_are_told_apart() -> None:
    ring = KeyRing("123123", KEY, {"mydev": OTHER})
    product_for_device = verify(header(RIGHT[3][3], res=RIGHT[3][2]), ring, NOW)
    device_for_product = verify(header(RIGHT_SHA1), KeyRing("123123", OTHER, {"mydev": KEY}), NOW)
    assert "its own key must sign" in product_for_device.reason
    assert "the key of a device signed" in device_for_product.reason


@pytest.mark.parametrize("version", ["2018-10-31", "2022-05-01"])
def test_both_versions_are_accepted_when_signed(version: str) -> None:
    import hashlib
    import hmac

    message = f"1537255523\nsha256\nproducts/123123\n{version}"
    sign = base64.b64encode(hmac.new(KEY, message.encode(), hashlib.sha256).digest()).decode()
    assert verify(header(sign, method="sha256", version=version), RING, NOW).ok
    assert not verify(header(sign, method="sha256", version="2019-01-01"), RING, NOW).ok


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "no Authorization"),
        ("", "no Authorization"),
        ("Bearer abc", "other than version"),
        (header(RIGHT_SHA1) + "&x=1", "other than version"),
        (header(RIGHT_SHA1) + "&et=1537255523", "et twice"),
        ("version=2018-10-31&res=products%2F123123", "no et, method, sign"),
        (header(RIGHT_SHA1, method="SHA1"), "lower case"),
        (header(RIGHT_SHA1, method="sha512"), "method must be one of"),
        (header(RIGHT_SHA1, version="2017-01-01"), "version must be one of"),
        (header(RIGHT_SHA1, et="1537254000"), "1000 s in the past"),
        (header(RIGHT_SHA1, et="-5"), "not a number"),
        (header(RIGHT_SHA1, et="soon"), "not a number"),
        (header(RIGHT_SHA1, et=str(2**63)), "not a number"),
        (header(RIGHT_SHA1, res="userid/12321"), "res is neither"),
        (header(RIGHT_SHA1, res="products/9"), "another product"),
        (header(RIGHT_SHA1, res="products/123123/devices/missing"), "no key is known for"),
    ],
)
def test_what_is_wrong_is_said(text: str | None, reason: str) -> None:
    verdict = verify(text, RING, NOW)
    assert not verdict.ok
    assert reason in verdict.reason


def test_an_et_beyond_32_bits_is_a_time_like_any_other() -> None:
    verdict = verify(header(RIGHT_SHA1, et="231817255824"), RING, NOW)
    assert "does not fit" in verdict.reason  # signed for another et, but not refused for its size


def test_no_reason_holds_the_signature_or_the_key() -> None:
    headers = [header(sign) for sign, _ in WRONG] + [header("secretsecret=")]
    for text in headers:
        reason = verify(text, RING, NOW).reason
        assert text.rpartition("sign=")[2] not in reason
        assert SAMPLE_KEY not in reason
    assert SAMPLE_KEY not in repr(RING)
    assert repr(KEY) not in repr(RING)


@given(st.text(max_size=200))
def test_any_header_gets_a_verdict(text: str) -> None:
    assert not verify(text, RING, NOW).ok


@given(st.integers(0, 27), st.sampled_from("ABCxyz019+/"))
def test_a_changed_signature_is_never_accepted(position: int, char: str) -> None:
    changed = RIGHT_SHA1[:position] + char + RIGHT_SHA1[position + 1 :]
    if changed != RIGHT_SHA1:
        assert not verify(header(changed), RING, NOW).ok
