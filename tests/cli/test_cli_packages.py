"""Packages as files: digests that lie beside one, and what it says of itself."""

import hashlib
import json
import lzma
import struct
import zipfile
from pathlib import Path

import pytest

from atota.doctor.package import examine_package
from atota.errors import ConfigError, PackageError
from atota.ota.sidecar import Stated, stated_digests
from atota.values import Digests
from tests.cli.running import BASE, PACKAGE, TARGET, Cli

MD5, SHA256 = Digests.of(PACKAGE).md5, Digests.of(PACKAGE).sha256
OTHER = "0" * 32


@pytest.mark.parametrize(
    ("name", "text", "md5", "sha256"),
    [
        ("p.bin.md5", MD5, MD5, None),
        ("p.bin.md5", f"{MD5}  p.bin\n", MD5, None),
        ("p.bin.md5", f"{MD5} *p.bin\r\n", MD5, None),
        ("p.bin.md5", f"\ufeff{MD5.upper()}  build/out/p.bin\n", MD5, None),
        ("p.md5", f"{MD5}  p.bin", MD5, None),
        ("p.bin.sha256", SHA256, None, SHA256),
        ("p.bin.sha256sum", f"{SHA256}  ./p.bin\n", None, SHA256),
        ("SHA256SUMS", f"{'1' * 64}  o.bin\n{SHA256}  p.bin\n", None, SHA256),
        ("sha256sums.txt", f"{SHA256} *p.bin\n", None, SHA256),
        ("MD5SUMS", f"{OTHER}  pp.bin\n{MD5}  p.bin\n", MD5, None),
        ("MD5SUMS", f"MD5 (p.bin) = {MD5}\n", MD5, None),
        ("checksums.txt", f"SHA256 (p.bin) = {SHA256}\nMD5 (p.bin) = {MD5}\n", MD5, SHA256),
    ],
)
def test_the_digest_beside_a_package_counts_in_every_usual_form(
    package: Path, name: str, text: str, md5: str | None, sha256: str | None
) -> None:
    (package.parent / name).write_text(text, encoding="utf-8")
    assert stated_digests(package) == Stated(md5, sha256, (name,))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("SHA256SUMS", f"{SHA256}  another.bin\n"),
        ("SHA256SUMS", f"{SHA256}\n"),
        ("notes.txt", f"{MD5}  p.bin\n"),
        ("other.md5", MD5),
        ("MD5SUMS", "no digest at all\n"),
    ],
)
def test_a_digest_of_another_file_does_not_count(package: Path, name: str, text: str) -> None:
    (package.parent / name).write_text(text)
    assert stated_digests(package) == Stated()


def test_a_file_of_the_package_without_its_digest_is_wrong(package: Path) -> None:
    (package.parent / "p.bin.md5").write_text(f"{MD5}  another.bin\n")
    with pytest.raises(ConfigError, match=r"p\.bin\.md5 has no digest of p\.bin"):
        stated_digests(package)


def test_two_files_that_contradict_each_other_are_refused(package: Path) -> None:
    (package.parent / "p.bin.md5").write_text(MD5)
    (package.parent / "MD5SUMS").write_text(f"{OTHER}  p.bin\n")
    with pytest.raises(PackageError, match="contradicts another file"):
        stated_digests(package)


@pytest.mark.parametrize(
    ("name", "text"), [("p.bin.md5", MD5), ("SHA256SUMS", f"{SHA256}  p.bin\n")], ids=["md5", "sha256"]
)
def test_a_flash_takes_the_digest_from_beside_the_package(
    cli: Cli, package: Path, name: str, text: str
) -> None:
    (package.parent / name).write_text(text)
    words = ("flash", package, "--target", TARGET, "-p", "sim://BC28", "--yes")
    ran = cli(*words, "--json")
    assert (ran.code, ran.result["outcome"]) == (0, "updated"), ran.err
    assert f"that of {name}" in ran.err
    package.write_bytes(PACKAGE + b"!")
    wrong = cli(*words, "--json")
    assert (wrong.code, wrong.result["outcome"]) == (7, "bad-package")


def test_a_flash_without_any_digest_is_wrong_usage(cli: Cli, package: Path) -> None:
    ran = cli("flash", package, "--target", TARGET, "-p", "sim://BC28", "--yes", "--json")
    assert (ran.code, ran.result["outcome"]) == (2, "usage")
    assert "p.bin.md5 or SHA256SUMS" in ran.result["error"]["hint"]


def test_the_user_s_own_digest_needs_no_file_and_wins(cli: Cli, package: Path) -> None:
    (package.parent / "p.bin.md5").write_text(OTHER)
    words = ("flash", package, "--target", TARGET, "-p", "sim://BC28", "--yes", "--json")
    assert cli(*words, "--md5", MD5).code == 0
    assert cli(*words, "--sha256", SHA256).code == 0
    assert cli(*words).code == 7


def test_a_package_shows_versions_of_its_format(cli: Cli, package: Path) -> None:
    shown = cli("package", "show", package, "--json").result["package"]
    assert (shown["base"], shown["target"], shown["made_for"]) == (BASE, TARGET, "BC28")
    assert (shown["size"], shown["md5"], shown["sha256"]) == (len(PACKAGE), MD5, SHA256)
    assert (shown["versions_from"], shown["fits"]) == ("format", None)
    page = cli("package", "show", package).out
    for words in (BASE, TARGET, MD5, SHA256, "by its format", f"{len(PACKAGE):,} bytes"):
        assert words in page


def test_a_package_shows_versions_of_its_name(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "BC68JAR01A10_TO_BC68JAR01A09_09.bin"
    file.write_bytes(b"\x00\x01" * 50)
    shown = cli("package", "show", file, "--json").result["package"]
    assert (shown["base"], shown["target"]) == ("BC68JAR01A10", "BC68JAR01A09")
    assert (shown["format"], shown["versions_from"]) == ("unknown", "name")


def test_a_package_that_tells_nothing_says_so(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "update.bin"
    file.write_bytes(b"\x07" * 100)
    page = cli("package", "show", file).out
    assert page.count("not told") == 2


def test_a_package_that_differs_from_its_digest_is_shown_and_bad(cli: Cli, package: Path) -> None:
    (package.parent / "MD5SUMS").write_text(f"{OTHER}  p.bin\n")
    ran = cli("package", "show", package, "--json")
    assert (ran.code, ran.result["outcome"]) == (7, "bad-package")
    assert (ran.result["package"]["fits"], ran.result["package"]["target"]) == (False, TARGET)
    (package.parent / "MD5SUMS").write_text(f"{MD5}  p.bin\n")
    assert "MD5SUMS: the digests fit" in cli("package", "show", package).out


def test_a_package_that_is_missing_is_a_bad_package(cli: Cli, tmp_path: Path) -> None:
    assert cli("package", "show", tmp_path / "none.bin").code == 7


def _mcuboot() -> bytes:
    """An image as MCUboot's documentation describes it: header, body, trailer with its SHA-256."""
    image = struct.pack("<IIHHIIBBHII", 0x96F3B83D, 0, 32, 0, 8, 0, 1, 2, 3, 4, 0) + b"\xaa" * 8
    return image + struct.pack("<HHHH", 0x6907, 40, 0x10, 32) + hashlib.sha256(image).digest()


def _fwpkg() -> bytes:
    """A container as two samples of HiSilicon's are: the name, then at 78 an xz stream of JSON."""
    body = lzma.compress(json.dumps({"About": {"Version": "V150R100C20B500SP1"}}).encode())
    head = b"Firmware chunks".ljust(74, b"\0") + struct.pack("<I", len(body))
    return head + body + b"\xff\0\0\0\0"


def _zip(path: Path) -> bytes:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("firmware.bin", b"x" * 10)
    return path.read_bytes()


def test_formats_of_others_are_known_by_their_first_bytes(tmp_path: Path) -> None:
    rows = {
        "m.bin": (_mcuboot(), "MCUboot image", "1.2.3.4"),
        "f.fwpkg": (_fwpkg(), "full-flash package of HiSilicon (.fwpkg)", "V150R100C20B500SP1"),
        "z.zip": (_zip(tmp_path / "source"), "zip archive", None),
        "cut.bin": (_mcuboot()[:40], "MCUboot image", None),
        "e.bin": (b"\xe9" + b"\0" * 400, "ESP-IDF image", None),
        "empty.bin": (b"", "empty", None),
    }
    for name, (data, form, target) in rows.items():
        file = tmp_path / name
        file.write_bytes(data)
        report = examine_package(file)
        assert (report.format, report.target, report.size) == (form, target, len(data))
