"""Packages as files: size and digests, computed without holding the file in memory."""

import hashlib
from pathlib import Path

from atota.errors import PackageError
from atota.values import Digests, checked_md5, checked_sha256

CHUNK = 64 * 1024


class Hasher:
    """Size, MD5 and SHA-256 of bytes as they pass."""

    def __init__(self) -> None:
        self.size = 0
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha256 = hashlib.sha256()

    def update(self, data: bytes) -> None:
        """Count ``data`` in."""
        self.size += len(data)
        self._md5.update(data)
        self._sha256.update(data)

    def digests(self) -> Digests:
        """The digests of everything so far."""
        return Digests(size=self.size, md5=self._md5.hexdigest(), sha256=self._sha256.hexdigest())


def digests_of(path: Path) -> Digests:
    """Size and digests of a file, in constant memory.

    Raises:
        PackageError: it is missing, or cannot be read.
    """
    hasher = Hasher()
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                hasher.update(chunk)
    except FileNotFoundError:
        problem = "it does not exist"
    except IsADirectoryError:
        problem = "it is a folder"
    except OSError as error:
        problem = error.strerror or type(error).__name__
    else:
        return hasher.digests()
    raise PackageError(
        f"the package {path} cannot be read: {problem}", hint="Check the path and its permissions."
    )


def require(digests: Digests, what: str, *, size: int | None, md5: str | None, sha256: str | None) -> None:
    """Compare digests with the expected ones.

    Raises:
        PackageError: one differs; the text has the expected and the actual value.
    """
    if digests.size == 0:
        raise PackageError(f"{what} is empty")
    if size is not None and digests.size != size:
        raise PackageError(f"{what} has the wrong size: expected {size} bytes, found {digests.size}")
    if md5 is not None and digests.md5 != md5:
        raise PackageError(f"{what} has the wrong MD5: expected {md5}, found {digests.md5}")
    if sha256 is not None and digests.sha256 != sha256:
        raise PackageError(f"{what} has the wrong SHA-256: expected {sha256}, found {digests.sha256}")


def verify_file(
    path: Path, size: int | None = None, md5: str | None = None, sha256: str | None = None
) -> Digests:
    """Check a local file against its known size and digests; None is not compared.

    Raises:
        PackageError: the file is missing, empty, or differs.
        UsageError: an expected digest has the wrong form.
    """
    expected_md5 = checked_md5(md5) if md5 is not None else None
    expected_sha256 = checked_sha256(sha256) if sha256 is not None else None
    digests = digests_of(path)
    require(digests, f"the package {path}", size=size, md5=expected_md5, sha256=expected_sha256)
    return digests
