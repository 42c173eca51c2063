"""Where a module may fetch its package is a secret: no stream and no transcript shows it."""

import hashlib
import re
import socket
from pathlib import Path

import pytest

from atota.cli.wiring import masked
from atota.sim.package import build_package
from tests.cli.running import Cli


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (
            b'AT+QFOTADL="http://ota.example/ota/south/download/ota_5hc95SFeo5xJEnaNrste"\r',
            b'AT+QFOTADL="http://ota.example/ota/south/download/ota_***"\r',
        ),
        (
            b'AT+QFOTADL="http://10.0.0.5:8000/0123456789abcdef/update.zip"\r\r\n',
            b'AT+QFOTADL="http://10.0.0.5:8000/***/update.zip"\r\r\n',
        ),
        (b"AT+CFOTA=5,40960,0123456789abcdef0123456789abcdef\r", None),
        (b'AT+CFSGFIS=1,"update.zip"\r', None),
    ],
)
def test_a_transcript_line_is_masked_where_it_must_be(line: bytes, wanted: bytes | None) -> None:
    assert masked(line) == (line if wanted is None else wanted)


def test_no_transcript_shows_where_the_package_was_fetched(cli: Cli, tmp_path: Path) -> None:
    package, transcript = tmp_path / "p.bin", tmp_path / "t.txt"
    package.write_bytes(build_package(model="BC26", base="BC26NBR01A01", target="BC26NBR01A02", size=4096))
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    ran = cli(
        *("flash", package, "--port", "sim://BC26", "--md5", md5(package), "--target", "BC26NBR01A02"),
        *("--serve-url", f"http://127.0.0.1:{port}", "--transcript", transcript, "--json", "-vv", "--yes"),
    )
    assert ran.result["outcome"] == "updated", ran.err
    text = transcript.read_text(encoding="ascii")
    assert "/***/update.zip" in text
    for shown in (text, ran.out, ran.err):
        assert not re.search(r"[0-9a-f]{16}/update", shown)


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
