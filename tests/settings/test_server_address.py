"""A server's address has one normal form, whichever place gives it."""

import pytest

from atota.values import is_local_server, parse_server


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("ota.heclouds.com", "https://ota.heclouds.com"),
        (" OTA.heclouds.com/ ", "https://ota.heclouds.com"),
        ("127.0.0.1:8080", "https://127.0.0.1:8080"),
        ("localhost", "https://localhost"),
        ("http://127.0.0.1:08080/", "http://127.0.0.1:8080"),
        ("HTTPS://host", "https://host"),
        ("http://[::1]:80", "http://[::1]:80"),
    ],
)
def test_an_address_without_scheme_is_https(text: str, url: str) -> None:
    assert parse_server(text) == url
    assert parse_server(url) == url


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is not an address"),
        ("x", "is not an address"),
        ("ftp://x", "is not an address"),
        ("http://", "is not an address"),
        ("a b", "is not an address"),
        ("host:0", "is not an address"),
        ("host:70000", "is not an address"),
        ("host/path", "has a path"),
        ("https://host/path", "has a path"),
        ("https://host/path/", "has a path"),
        ("http://joe:hunter2@host", "no user name or password"),
        ("https://host?sign=hunter2", "ends with its host"),
        ("https://host/#hunter2", "ends with its host"),
    ],
)
def test_what_is_not_an_address_is_refused_without_its_secrets(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as caught:
        parse_server(text)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "is_local"),
    [
        ("http://127.0.0.1:8080", True),
        ("http://[::1]", True),
        ("http://localhost", True),
        ("http://a.b", False),
    ],
)
def test_a_server_on_this_machine_is_known(url: str, is_local: bool) -> None:
    assert is_local_server(url) is is_local
