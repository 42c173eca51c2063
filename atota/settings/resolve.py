"""Where each setting comes from: option > ``ATOTA_*`` environment > board file > user config > built-in."""

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import platformdirs

from atota.errors import AtotaError, ConfigError, UsageError
from atota.files import load_toml
from atota.settings.board import Baud, Board, Seconds, Text, server_problem
from atota.values import version_problem

DEFAULT_SERVER: Final = "https://ota.heclouds.com"  # OneNET, page of the check API
TaskType = Literal["fota", "sota"]
AuthMethod = Literal["md5", "sha1", "sha256"]

_KEY_HINT = "The file holds nothing but the access key, as the console shows it, in UTF-8."
_BUILT_IN = "built-in"


class Secret:
    """A secret that is known by where it comes from and shown nowhere; `read` gives it.

    Attributes:
        origin: the variable, option or configuration entry that gave it.
        file: the file it stands in, or None.
    """

    __slots__ = ("__value", "file", "origin")

    def __init__(self, origin: str, *, value: str | None = None, file: Path | None = None) -> None:
        self.origin = origin
        self.file = file
        self.__value = value

    def read(self) -> str:
        """The secret itself, without white space round it.

        Raises:
            ConfigError: its file is missing, unreadable, empty, or has more than one line.
        """
        if self.file is None:
            return (self.__value or "").strip()
        return _key_of(self.file, self.origin)

    def __repr__(self) -> str:
        return f"Secret({self.origin})"


class UserConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The user's own defaults, from ``config.toml`` in the user's configuration folder.

    Paths in it that are not absolute begin at the file's own folder. The access key never stands in it,
    only the file that holds it.
    """

    port: Text | None = None
    baud: Baud | None = None
    dialect: Text | None = None
    model: Text | None = None
    board: Text | None = None
    server: Text | None = None
    dev_id: Text | None = None
    product_id: Text | None = None
    type: TaskType | None = None
    fw_version: Text | None = None
    auth_method: AuthMethod | None = None
    device_name: Text | None = None
    auth_ttl_s: int | None = None
    timeout_s: Seconds | None = None
    reboot_timeout_s: Seconds | None = None
    transcript: Text | None = None
    journal: Text | None = None
    access_key_file: Text | None = None

    def __post_init__(self) -> None:
        for name, value in _given(self).items():
            if parse := _PARSERS.get(name):
                try:
                    parse(value)
                except ValueError as error:
                    raise ValueError(f"{name}: {error}") from None


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Every common and platform setting, once all places have been asked.

    ``origin`` says for each name where its value comes from. A time limit of None means none, for
    ``reboot_timeout_s`` the dialect's own.
    """

    port: str | None = None
    baud: int | None = None
    dialect: str | None = None
    model: str | None = None
    board: str | None = None
    server: str = DEFAULT_SERVER
    dev_id: str | None = None
    product_id: str | None = None
    type: TaskType = "fota"
    fw_version: str | None = None
    auth_method: AuthMethod = "sha256"
    device_name: str | None = None
    auth_ttl_s: int = 3600
    timeout_s: float | None = None
    reboot_timeout_s: float | None = None
    transcript: str | None = None
    journal: str | None = None
    access_key: Secret | None = None
    authorization: Secret | None = None
    origin: Mapping[str, str] = {}

    def explain(self) -> list[str]:
        """One line a setting that has a value, for ``-v``: its value and where it comes from."""
        told = ((name, getattr(self, name)) for name in self.__struct_fields__ if name != "origin")
        return [
            f"{name}: {'(secret)' if isinstance(value, Secret) else value} ({self.origin[name]})"
            for name, value in told
            if value is not None
        ]


def resolve(
    options: Mapping[str, object], env: Mapping[str, str], board: Board | None, config: UserConfig | None
) -> Settings:
    """Put the settings together; nothing is read but what is given here.

    Args:
        options: the command line's options by the names of `Settings`, and ``access_key_file``;
            None means not given.
        env: the environment; an empty ``ATOTA_*`` variable counts as not set.
        board: the board file, if there is one.
        config: the user's configuration, if there is one.

    Raises:
        UsageError: an option or a variable has a value that cannot be; the text names it.
        ConfigError: the board has one.
    """
    unknown = set(options) - set(_NAMES) - {"access_key_file"}
    if unknown:
        raise AtotaError(f"There is no setting called {', '.join(sorted(unknown))}")
    places = (
        _from_options(options),
        _from_env(env),
        _from_board(board),
        _from_config(config),
    )
    values: dict[str, Any] = {}
    origin = dict.fromkeys(_NAMES, _BUILT_IN)
    for place in reversed(places):
        for name, (value, where) in place.items():
            values[name], origin[name] = value, where
    for name, secret in _secrets(options, env, config).items():
        values[name], origin[name] = secret, secret.origin
    return Settings(**values, origin=origin)


def board_path(
    options: Mapping[str, object], env: Mapping[str, str], config: UserConfig | None
) -> Path | None:
    """The board file that `resolve` needs, by the same precedence; None if nobody names one."""
    named = options.get("board") or env.get("ATOTA_BOARD") or (config and config.board)
    return _path(named) if named else None


def load_user_config(env: Mapping[str, str]) -> UserConfig | None:
    """Read the user's configuration: ``ATOTA_CONFIG``, else `user_config_path` if there is such a file.

    Raises:
        ConfigError: it is wrong, or the file that ``ATOTA_CONFIG`` names is missing.
    """
    named = env.get("ATOTA_CONFIG")
    path = _path(named) if named else user_config_path()
    if not named and not path.is_file():
        return None
    config = load_toml(path, UserConfig)
    paths = {name: getattr(config, name) for name in ("board", "transcript", "journal", "access_key_file")}
    changes = {name: str(path.parent / _path(text)) for name, text in paths.items() if text}
    return msgspec.structs.replace(config, **changes)


def user_config_path() -> Path:
    """Where the user's configuration is looked for if ``ATOTA_CONFIG`` names none."""
    return Path(platformdirs.user_config_dir("atota", appauthor=False)) / "config.toml"


def _path(value: object) -> Path:
    path = Path(str(value))
    try:
        return path.expanduser()
    except RuntimeError:  # "~nobody": there is no such user, so it is the name of a file
        return path


def _text(value: object) -> str:
    text = str(value).strip()
    if not text:
        raise ValueError("it is empty")
    return text


def _whole(low: int, high: int) -> Callable[[object], int]:
    def parse(value: object) -> int:
        text = str(value).strip()
        if not (text.isascii() and text.isdigit()) or len(text) > 12 or not low <= int(text) <= high:
            raise ValueError(f"{value!r} is not a whole number from {low} to {high}")
        return int(text)

    return parse


def _seconds(value: object) -> float:
    try:
        seconds = float(str(value))
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= 604_800:  # a week
        raise ValueError(f"{value!r} is not a number of seconds above 0 and up to 604800")
    return seconds


def _one_of(*words: str) -> Callable[[object], str]:
    def parse(value: object) -> str:
        text = str(value).strip().lower()
        if text not in words:
            raise ValueError(f"{value!r} is none of {', '.join(words)}")
        return text

    return parse


def _server(value: object) -> str:
    text = _text(value).rstrip("/")
    if "://" not in text and re.search(r"[.:]|^localhost$", text):  # https goes without saying
        text = f"https://{text}"
    if problem := server_problem(text):
        raise ValueError(problem)
    return text


def _version(value: object) -> str:
    text = str(value).strip()
    if problem := version_problem(text):
        raise ValueError(f"the platform takes no version {text!r}: {problem}")
    return text


_PARSERS: Final[dict[str, Callable[[object], Any]]] = {
    "port": _text,
    "baud": _whole(1, 4_000_000),
    "dialect": _text,
    "model": _text,
    "board": _text,
    "server": _server,
    "dev_id": _text,
    "product_id": _text,
    "type": _one_of("fota", "sota"),
    "fw_version": _version,
    "auth_method": _one_of("md5", "sha1", "sha256"),
    "device_name": _text,
    "auth_ttl_s": _whole(1, 315_360_000),  # ten years; the platform's own samples go far into the future
    "timeout_s": _seconds,
    "reboot_timeout_s": _seconds,
    "transcript": _text,
    "journal": _text,
}
_NAMES: Final = (*_PARSERS, "access_key", "authorization")
_Values = dict[str, tuple[Any, str]]


def _variable(name: str) -> str:
    return "ATOTA_" + name.removesuffix("_s").upper()


def _option(name: str) -> str:
    return "--" + name.removesuffix("_s").replace("_", "-")


def _parsed(name: str, value: object, where: str, hint: str) -> Any:
    try:
        return _PARSERS[name](value)
    except ValueError as error:
        raise UsageError(f"{where}: {error}", hint=hint) from None


def _from_options(options: Mapping[str, object]) -> _Values:
    hint = UsageError.default_hint
    return {
        name: (_parsed(name, options[name], _option(name), hint), _option(name))
        for name in _PARSERS
        if options.get(name) is not None
    }


def _from_env(env: Mapping[str, str]) -> _Values:
    found: _Values = {}
    for name in _PARSERS:
        variable = _variable(name)
        if env.get(variable):
            hint = f"Correct the environment variable {variable} or unset it."
            found[name] = (_parsed(name, env[variable], variable, hint), variable)
    return found


def _from_board(board: Board | None) -> _Values:
    if board is None:
        return {}
    values: dict[str, object] = {
        "baud": board.serial.baud,
        "dialect": board.dialect,
        "model": board.model,
        "timeout_s": board.limits.timeout_s,
        "reboot_timeout_s": board.limits.reboot_timeout_s,
        **{name: value for name, value in _given(board.ota).items() if name in _NAMES},
    }
    where = f"board {board.name}"
    try:
        return {name: (_PARSERS[name](value), where) for name, value in values.items() if value is not None}
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from None


def _from_config(config: UserConfig | None) -> _Values:
    given = _given(config)
    return {name: (parse(given[name]), "user config") for name, parse in _PARSERS.items() if name in given}


def _given(struct: msgspec.Struct | None) -> dict[str, Any]:
    if struct is None:
        return {}
    pairs = ((name, getattr(struct, name)) for name in struct.__struct_fields__)
    return {name: value for name, value in pairs if value is not None}


def _secrets(
    options: Mapping[str, object], env: Mapping[str, str], config: UserConfig | None
) -> dict[str, Secret]:
    found: dict[str, Secret] = {}
    if given := env.get("ATOTA_AUTHORIZATION"):
        found["authorization"] = Secret("ATOTA_AUTHORIZATION", value=given)
    files = (
        (options.get("access_key_file"), "--access-key-file"),
        (env.get("ATOTA_ACCESS_KEY_FILE"), "ATOTA_ACCESS_KEY_FILE"),
        (config and config.access_key_file, "user config"),
    )
    if not files[0][0] and (key := env.get("ATOTA_ACCESS_KEY")):
        found["access_key"] = Secret("ATOTA_ACCESS_KEY", value=key)
        return found
    for file, where in files:
        if file:
            found["access_key"] = Secret(where, file=_path(file))
            break
    return found


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
