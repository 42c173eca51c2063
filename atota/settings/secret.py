"""Secrets: the access key and the authorization header, held so that nothing prints them."""

from pathlib import Path

from atota.errors import ConfigError

_KEY_HINT = "The file holds nothing but the access key, as the console shows it, in UTF-8."


class Secret:
    """A secret that is known by its origin and shown nowhere; `read` returns it.

    Attributes:
        origin: the variable, option or configuration entry that gave it.
        file: the file that holds it, or None.
    """

    __slots__ = ("__value", "file", "origin")

    def __init__(self, origin: str, *, value: str | None = None, file: Path | None = None) -> None:
        self.origin = origin
        self.file = file
        self.__value = value

    def read(self) -> str:
        """Return the secret itself, without white space round it.

        Raises:
            ConfigError: its file is missing, unreadable, empty, or has more than one line.
        """
        if self.file is None:
            return (self.__value or "").strip()
        return _key_of(self.file, self.origin)

    def __repr__(self) -> str:
        return f"Secret({self.origin})"


def _key_of(file: Path, origin: str) -> str:
    try:
        text = file.read_bytes().decode("utf-8-sig").strip()
    except UnicodeDecodeError:  # its own text would quote the file
        raise ConfigError(f"{file}: the access key's file is not UTF-8", hint=_KEY_HINT) from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        hint = f"{origin} names this file: correct the path or the file's permissions."
        raise ConfigError(f"{file}: the access key cannot be read: {why}", hint=hint) from error
    if not text or len(text.splitlines()) != 1:
        problem = "is empty" if not text else "has more than one line"
        raise ConfigError(f"{file}: the access key's file {problem}", hint=_KEY_HINT)
    return text
