"""Keep the access key, the signature and the download token out of every text."""

import re
from collections.abc import Iterable
from urllib.parse import quote

MASK = "***"
_SIGN = re.compile(r"(\bsign=)[^&\s\"']+")
_TOKEN = re.compile(r"\bota_[0-9A-Za-z]{8,}")  # the form of every token in the platform's documentation
_NAMED = re.compile(r"(\btoken[\"']?\s*[:=]\s*[\"']?)[0-9A-Za-z_.~\-]{4,}")
_DOWNLOAD = re.compile(r"(/download/)[^/?\s\"']+")
_QUERY = re.compile(r"\?[^\s\"']+")
_SHORTEST = 4  # a shorter secret would blot out ordinary words


def scrub(text: str, secrets: Iterable[str] = ()) -> str:
    """Replace every secret in ``text`` by ``***``: the ones named, signatures, and tokens in URLs."""
    for secret in sorted({s for s in secrets if len(s) >= _SHORTEST}, key=len, reverse=True):
        for form in {secret, quote(secret, safe=""), quote(secret)}:
            text = text.replace(form, MASK)
    text = _SIGN.sub(rf"\g<1>{MASK}", text)
    text = _NAMED.sub(rf"\g<1>{MASK}", text)
    text = _DOWNLOAD.sub(rf"\g<1>{MASK}", text)
    return _TOKEN.sub(f"ota_{MASK}", text)


def scrub_log(text: str) -> str:
    """A log line of the HTTP library without secrets and without query strings (they name the device)."""
    return scrub(_QUERY.sub(f"?{MASK}", text))
