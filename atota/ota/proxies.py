"""The proxy that stands between this machine and a server, and the variable that names it. Sends nothing."""

import os
import urllib.request
from typing import NamedTuple
from urllib.parse import urlsplit

from atota.errors import ConfigError, ServerUnreachable

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
"""Hosts of this machine: no proxy can reach them."""


class Proxy(NamedTuple):
    """A proxy: its address without a user or password, and the variable that names it."""

    address: str
    variable: str


def proxy_of(url: str) -> Proxy | None:
    """Return the proxy that the environment names for ``url``; None: it is reached directly."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host in ("localhost", "127.0.0.1", "::1") or urllib.request.proxy_bypass(host):
        return None
    for name in (f"{parts.scheme}_proxy", "all_proxy"):
        for variable in (name, name.upper()):
            if address := os.environ.get(variable):
                return Proxy(_without_login(address), variable)
    return None


def _without_login(address: str) -> str:
    scheme, mark, rest = address.rpartition("://")
    return f"{scheme}{mark}{rest.rpartition('@')[2]}"


def through(error: ServerUnreachable, proxy: Proxy | None) -> ServerUnreachable:
    """Name the proxy in an error of a connection that went through it."""
    if proxy is None:
        return error
    return ServerUnreachable(
        f"{error.message} (through the proxy {proxy.address})",
        hint=f"Check the proxy that the variable {proxy.variable} names; NO_PROXY=HOST goes round it.",
    )


def unusable(kind: str) -> ConfigError:
    """Make the error of network settings that cannot be used; ``kind`` is the foreign error's class."""
    socks = [
        name
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
        if os.environ.get(name, "").lower().startswith("socks")
    ]
    if socks:
        return ConfigError(
            f"the variable {socks[0]} names a SOCKS proxy, which this installation cannot use",
            hint=f"Install it with: pip install 'httpx[socks]'; or unset {socks[0]}.",
        )
    return ConfigError(
        f"the network settings of the environment cannot be used ({kind})",
        hint="Check HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, SSL_CERT_FILE and SSL_CERT_DIR.",
    )


def unusable_certificates(path: object, problem: str) -> ConfigError:
    """Make the error of a file of certificates that cannot be used."""
    return ConfigError(
        f"--cacert {path}: {problem}", hint="Give a file of certificates in PEM, as the proxy's owner has it."
    )
