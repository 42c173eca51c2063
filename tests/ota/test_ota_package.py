"""Local package files: what is wrong with them is said with the expected and the actual value."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atota.errors import PackageError, UsageError
from atota.ota.package import CHUNK, Hasher, verify_file
from atota.values import Digests, checked_sha256

DATA = b"Firmware chunks" + bytes(range(256)) * 700  # more than one read


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.fwpkg"
    path.write_bytes(DATA)
    return path


def test_a_right_file_gives_its_digests(file: Path) -> None:
    assert len(DATA) > CHUNK
    found = verify_file(
        file, len(DATA), hashlib.md5(DATA).hexdigest().upper(), hashlib.sha256(DATA).hexdigest()
    )
    assert found == Digests.of(DATA)
    assert verify_file(file) == found


def test_each_difference_names_both_values(file: Path) -> None:
    with pytest.raises(PackageError, match=f"expected 5 bytes, found {len(DATA)}"):
        verify_file(file, 5)
    with pytest.raises(
        PackageError, match=f"MD5: expected {'0' * 32}, found {hashlib.md5(DATA).hexdigest()}"
    ):
        verify_file(file, len(DATA), "0" * 32)
    with pytest.raises(PackageError, match=f"SHA-256: expected {'a' * 64}, found"):
        verify_file(file, len(DATA), None, "A" * 64)


def test_missing_empty_and_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="does not exist"):
        verify_file(tmp_path / "none")
    with pytest.raises(PackageError, match="folder"):
        verify_file(tmp_path)
    (tmp_path / "empty").touch()
    with pytest.raises(PackageError, match="empty"):
        verify_file(tmp_path / "empty", 0)


def test_digests_that_are_none_are_the_callers_mistake(file: Path) -> None:
    with pytest.raises(UsageError):
        verify_file(file, None, "xyz")
    with pytest.raises(UsageError):
        verify_file(file, None, None, "ab")
    assert checked_sha256(f" {'A' * 64}\n") == "a" * 64


@given(st.lists(st.binary(max_size=50)))
def test_hashing_in_pieces_is_hashing_the_whole(pieces: list[bytes]) -> None:
    hasher = Hasher()
    for piece in pieces:
        hasher.update(piece)
    assert hasher.digests() == Digests.of(b"".join(pieces))
