"""Digests that lie beside a package: ``PACKAGE.md5``, ``PACKAGE.sha256``, ``MD5SUMS``, ``SHA256SUMS``.

The lines are those of coreutils (``HEX  NAME``, ``HEX *NAME``), of BSD (``MD5 (NAME) = HEX``), or a digest
alone in a file that is named after the package.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from atota.errors import ConfigError, PackageError

_LISTS = re.compile(r"(?:md5|sha256|sha2-256|check)sums?(?:\.(?:txt|md5|sha256))?", re.IGNORECASE)
_OWN = (".md5", ".md5sum", ".sha256", ".sha256sum")
_GNU = re.compile(r"\\?([0-9A-Fa-f]{32}|[0-9A-Fa-f]{64})(?: [ *](.+))?")
_BSD = re.compile(r"(?:MD5|SHA256|SHA2-256) ?\((.+)\) = ([0-9A-Fa-f]{32}|[0-9A-Fa-f]{64})")
_LARGEST = 1_000_000
"""Bytes of such a file; a longer one is another kind of file."""


class Stated(msgspec.Struct, frozen=True):
    """Digests of one package in lower-case hex, and the files that state them."""

    md5: str | None = None
    sha256: str | None = None
    files: tuple[str, ...] = ()


def stated_digests(package: Path) -> Stated:
    """Return the digests that files beside a package state of it; none where there are no such files.

    Raises:
        ConfigError: a file cannot be read, or one that is named after the package has no digest of it.
        PackageError: two files contradict each other.
    """
    digests: dict[int, str] = {}
    files: list[str] = []
    for path in _beside(package):
        is_own = _is_own(path, package)
        fitting = [digest for digest, name in _digests_in(path) if _is_of(name, package, is_own=is_own)]
        if is_own and not fitting:
            raise ConfigError(
                f"{path} has no digest of {package.name}", hint="Correct the file, or give --md5 HEX."
            )
        for digest in fitting:
            if digests.setdefault(len(digest), digest) != digest:
                raise PackageError(
                    f"{path} contradicts another file about {package.name}",
                    hint="Remove the wrong one, or give --md5 HEX. The module was not touched.",
                )
        files += [path.name] if fitting else []
    return Stated(digests.get(32), digests.get(64), tuple(files))


def _beside(package: Path) -> Iterator[Path]:
    try:
        others = sorted(package.parent.iterdir())
    except OSError:  # the package itself will not be found either
        return
    for path in others:
        if (_is_own(path, package) or _LISTS.fullmatch(path.name)) and path.is_file() and path != package:
            yield path


def _is_own(path: Path, package: Path) -> bool:
    return path.suffix.lower() in _OWN and path.stem in (package.name, package.stem)


def _is_of(name: str | None, package: Path, *, is_own: bool) -> bool:
    return is_own if name is None else name.replace("\\", "/").rpartition("/")[2] == package.name


def _digests_in(path: Path) -> Iterator[tuple[str, str | None]]:
    """Yield each digest in a file, and the name that stands with it."""
    try:
        data = path.read_bytes()[:_LARGEST]
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}", hint="Change its permissions, or give --md5 HEX."
        ) from error
    for line in data.decode("utf-8-sig", "replace").splitlines():
        if match := _BSD.fullmatch(line.strip()):
            yield match[2].lower(), match[1]
        elif match := _GNU.fullmatch(line.strip()):
            yield match[1].lower(), match[2]
