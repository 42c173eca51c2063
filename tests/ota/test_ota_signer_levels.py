"""Signatures by level of the key, version of the rules and digest: the printed vectors, and wrong owners."""

from typing import Any

import pytest

from atota.clock import SimulatedClock
from atota.errors import UsageError
from atota.ota.base import Access
from atota.ota.onenet import signer
from atota.ota.registry import open_platform
from atota.values import KeyLevel

KEY = "KuF3NT/jUBJ62LNBB/A8XZA9CqS3Cu79B/ABmfA1UCw="  # the sample key of the platform's documentation
OLD, NEW = ("2018-10-31", 1537255523), ("2022-05-01", 1792000000)
TEN_YEARS = 3650 * 86400

# onenet-generations.md section 3; one of them is published, the others are computed there.
VECTORS = [
    (OLD, "products/123123", "md5", "M3jB6jcSNUuGcvW3dFcrWA=="),
    (OLD, "products/123123", "sha1", "lsaPSiiGvEFFjXu5WU7a6IkScqE="),
    (OLD, "products/123123", "sha256", "tuFMd8Cc5krZO+RiNaW4mad5tauSFq2J89Gd70MXQPI="),
    (OLD, "products/123123/devices/mydev", "md5", "XV29qkZOl7StAMRW9zVvaQ=="),
    (OLD, "products/123123/devices/mydev", "sha1", "p2Bv5QYrZolQCtt68923gtxRCVk="),
    (OLD, "products/123123/devices/mydev", "sha256", "dL9mxHdJXyd2TZcmTna60TMUei2dYU5W6iOow7fH/7w="),
    (OLD, "userid/12321", "md5", "iNAy/Ynb+OP/q+pA1Z2YuQ=="),
    (OLD, "userid/12321", "sha1", "oKmitkJTJXBaM95LTkHYTeLAzs4="),
    (OLD, "userid/12321", "sha256", "beSN9GFn9Hnko9Btbu0FGAyY5Kq1VJ+MU4L0T5WPU+I="),
    (NEW, "products/123123", "md5", "Yh2ZJNl5lCqPUpIcEVsscA=="),
    (NEW, "products/123123", "sha1", "3moTC99ykJWtjm6OXixIXqOvNQU="),
    (NEW, "products/123123", "sha256", "6vTudwhj1OdQ972NLkXjsoq+89CshTp96HxT/PLrZEs="),
    (NEW, "products/123123/devices/mydev", "md5", "CC/qLsn9Q0q7OAwY2rPLqA=="),
    (NEW, "products/123123/devices/mydev", "sha1", "/5N7seXw/u9xDl2VMNum1+f0uwo="),
    (NEW, "products/123123/devices/mydev", "sha256", "SzevZs0U97idibKXN5mYq6CpYqW5sDE4Kn81I+/iL9Y="),
    (NEW, "userid/12321", "md5", "Kjc49UaxsDxCXNGKtFcLUg=="),
    (NEW, "userid/12321", "sha1", "/TjWk7BLFWKJGBn3eBRdphrvFT4="),
    (NEW, "userid/12321", "sha256", "6MGULUMwb2S4LC3nrRmM54rxq9gem+LKpgj+4tMHmUY="),
]
LEVELS: dict[str, KeyLevel] = {"products/123123": "product", "userid/12321": "user"}


def access(now: float = 1792000000.0 - 3600, **fields: Any) -> Access:
    given = {"access_key": KEY, "product_id": "123123", "device_name": "mydev", "user_id": "12321"}
    clock = SimulatedClock(now)
    return Access(server="https://iot-api.heclouds.com", clock=clock, **{**given, **fields})


@pytest.mark.parametrize(("rules", "res", "method", "expected"), VECTORS)
def test_each_level_version_and_digest_signs_as_printed(
    rules: tuple[str, int], res: str, method: str, expected: str
) -> None:
    version, et = rules
    asked = access(et - 3600, key_level=LEVELS.get(res, "device"), auth_method=method)
    fields = signer.fields(signer.auth_of(asked, version=version).header())
    assert fields == {"version": version, "res": res, "et": str(et), "method": method, "sign": expected}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"key_level": "device"},
            (
                "version=2022-05-01&res=products%2F123123%2Fdevices%2Fmydev&et=1792000000&method=sha256"
                "&sign=SzevZs0U97idibKXN5mYq6CpYqW5sDE4Kn81I%2B%2FiL9Y%3D"
            ),
        ),
        (
            {"key_level": "user", "auth_method": "sha1"},
            (
                "version=2022-05-01&res=userid%2F12321&et=1792000000&method=sha1"
                "&sign=%2FTjWk7BLFWKJGBn3eBRdphrvFT4%3D"
            ),
        ),
    ],
)
def test_a_whole_header_byte_for_byte(fields: dict[str, Any], expected: str) -> None:
    assert signer.auth_of(access(**fields), version="2022-05-01").header() == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "userid/12321"),
        ({"user_id": None}, "products/123123/devices/mydev"),
        ({"user_id": None, "device_name": None}, "products/123123"),
        ({"key_level": "product"}, "products/123123"),
        ({"key_level": "device"}, "products/123123/devices/mydev"),
    ],
)
def test_without_a_level_the_most_special_name_is_the_owner(fields: dict[str, Any], expected: str) -> None:
    assert signer.fields(signer.auth_of(access(**fields)).header())["res"] == expected


@pytest.mark.parametrize("api", ["generic", "studio", "fuse"])
@pytest.mark.parametrize(
    ("fields", "message", "hint"),
    [
        ({"key_level": "user", "user_id": None}, "the user id is missing", "--user-id"),
        ({"key_level": "device", "device_name": None}, "device's name is missing", "--device-name"),
        ({"key_level": "product", "product_id": None}, "the product id is missing", "--product-id"),
        ({"access_key": None}, "the access key is missing", "ATOTA_ACCESS_KEY"),
        ({"access_key": "KuF3NT/jUBJ62LNBB/A8XZA9CqS3Cu79B/ABmfA1UC"}, "not base64", "ATOTA_ACCESS_KEY"),
    ],
)
def test_a_missing_owner_or_key_is_wrong_usage(
    api: str, fields: dict[str, Any], message: str, hint: str
) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        open_platform(api, access(**fields))
    assert hint in caught.value.hint
    assert KEY not in str(caught.value) + caught.value.hint


def test_a_key_with_a_stray_line_end_signs_as_without_it() -> None:
    asked, plain = (access(access_key=text, key_level="device") for text in (f" {KEY}\r\n", KEY))
    assert signer.auth_of(asked).header() == signer.auth_of(plain).header()


def test_a_signature_that_lives_longer_than_ten_years_is_refused_before_it_is_sent() -> None:
    assert open_platform("fuse", access(auth_ttl_s=TEN_YEARS)).server == "https://iot-api.heclouds.com"
    with pytest.raises(UsageError, match="the platform accepts 10") as caught:
        open_platform("fuse", access(auth_ttl_s=TEN_YEARS + 1))
    assert "--auth-ttl" in caught.value.hint


def test_a_given_header_that_lives_longer_than_ten_years_is_refused_by_fuse_only() -> None:
    header = (
        "version=2018-10-31&res=products%2F1&et=7559008892&method=md5&sign=c2lnbg%3D%3D"  # a page's sample
    )
    for api in ("generic", "studio"):
        assert open_platform(api, access(authorization=header)).capabilities.api == api
    with pytest.raises(UsageError, match="years") as caught:
        open_platform("fuse", access(authorization=header))
    assert "c2lnbg" not in str(caught.value)
