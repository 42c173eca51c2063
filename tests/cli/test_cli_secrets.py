"""Where a module may fetch its package is a secret: no stream and no transcript shows it."""

import hashlib
import re
import socket
from pathlib import Path

from atota.sim.package import build_package
from tests.cli.running import Cli


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
    assert f"/ota_{20 * '*'}/update.zip" in text
    for shown in (text, ran.out, ran.err):
        assert not re.search(r"ota_[0-9A-Za-z]", shown)


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
