"""The one merge of settings: option > ``ATOTA_*`` environment > board file > user configuration > built-in.

The table in `atota.settings.table` says by which names each place gives a value. A value keeps its origin.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import platformdirs

from atota.dialects import catalogue
from atota.errors import AtotaError, ConfigError, UsageError
from atota.files import load_toml
from atota.names import near
from atota.settings import kinds
from atota.settings.board import Board, board_values, load_board, require_dialect
from atota.settings.secret import Secret
from atota.settings.table import Row, Settings, in_config, rows, toml_table

BUILT_IN = "built-in"
USER_CONFIG = "user config"
CONFIG_VARIABLE = "ATOTA_CONFIG"
DATABASE_VARIABLE = "ATOTA_DATABASE"
"""The database of the commands of `line`, which take no other setting."""
"""The variable that names the user's configuration; it is not a setting itself."""

UserConfig: Any = toml_table(
    "UserConfig",
    in_config(),
    "The user's own defaults, from ``config.toml`` in the user's configuration folder.\n\n"
    "    Paths in it that are not absolute begin at the file's own folder. It never holds the access key, "
    "only the name of the key's file.",
)

_Values = dict[str, tuple[Any, str]]


def load_settings(options: Mapping[str, object], env: Mapping[str, str]) -> tuple[Settings, Board | None]:
    """Read the user's configuration and the board file that they name, and merge all settings.

    Args:
        options: the options by the names of `Settings`; None means not given.
        env: the environment; an empty ``ATOTA_*`` variable counts as not set.

    Raises:
        UsageError: an option or a variable has a value that cannot be; the text names it.
        ConfigError: a file is wrong; the text names it and the place in it.
    """
    config = load_user_config(env)
    named = board_path(options, env, config)
    board = load_board(named) if named is not None else None
    return resolve(options, env, board, config), board


def resolve(
    options: Mapping[str, object], env: Mapping[str, str], board: Board | None, config: Mapping[str, object]
) -> Settings:
    """Merge the settings; nothing is read but what is given here.

    Args:
        options: as for `load_settings`.
        env: as for `load_settings`.
        board: the board file, if there is one.
        config: the user's configuration by the names of `Settings`.

    Raises:
        UsageError: an option or a variable has a value that cannot be; the text names it.
    """
    if unknown := set(options) - set(rows()):
        raise AtotaError(f"unknown settings: {', '.join(sorted(unknown))}")
    values: _Values = {}
    for name, value in config.items():
        values[name] = value, USER_CONFIG
    if board is not None:
        values |= {name: (value, f"board {board.name}") for name, value in board_values(board).items()}
    values |= _from_env(env)
    values |= _from_options(options)
    merged: dict[str, Any] = {
        name: Secret(origin, file=value) if rows()[name].secret and isinstance(value, Path) else value
        for name, (value, origin) in values.items()
    }
    origins = {name: values[name][1] if name in values else BUILT_IN for name in rows()}
    return Settings(**merged, origin=origins)


def board_path(
    options: Mapping[str, object], env: Mapping[str, str], config: Mapping[str, object]
) -> Path | None:
    """Return the board file that the settings name, by the same precedence; None without one."""
    named = options.get("board") or env.get("ATOTA_BOARD") or config.get("board")
    return kinds.path(named) if named else None


def load_user_config(env: Mapping[str, str]) -> dict[str, object]:
    """Read the user's configuration: ``ATOTA_CONFIG``, else `user_config_path` if there is such a file.

    Returns:
        The values that it gives, by the names of `Settings`.

    Raises:
        ConfigError: it is wrong, or the file that ``ATOTA_CONFIG`` names is missing.
    """
    file = config_path(env)
    if not env.get(CONFIG_VARIABLE) and not file.is_file():
        return {}
    config = load_toml(file, UserConfig)
    require_dialect(config.dialect, str(file), "$.dialect")
    if config.model is not None and not (
        catalogue.by_name(config.model) or catalogue.by_name(config.model, "sota")
    ):
        near = " or ".join(catalogue.suggestions(config.model)) or "one of `atota modules`"
        raise ConfigError(
            f"{file}: the catalogue has no model {config.model!r} - at `$.model`", hint=f"Name {near}."
        )
    values = {row: getattr(config, key) for key, row in in_config().items()}
    return {
        row.name: file.parent / kinds.path(value) if row.is_path else row.parse(value)
        for row, value in values.items()
        if value is not None
    }


def config_path(env: Mapping[str, str]) -> Path:
    """Return the place of the user's configuration, which ``ATOTA_CONFIG`` may name."""
    named = env.get(CONFIG_VARIABLE)
    return kinds.path(named) if named else user_config_path()


def user_config_path() -> Path:
    """Return the place of the user's configuration where ``ATOTA_CONFIG`` names none."""
    return Path(platformdirs.user_config_dir("atota", appauthor=False)) / "config.toml"


def unknown_variables(env: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the ``ATOTA_*`` variables that nothing reads, each with the near names."""
    known = {name for row in rows().values() for name in (row.variable, row.secret) if name}
    known |= {CONFIG_VARIABLE, DATABASE_VARIABLE}
    unknown = sorted(name for name in env if name.startswith("ATOTA_") and name not in known)
    return {name: near(name, known) for name in unknown}


def _from_options(options: Mapping[str, object]) -> Iterator[tuple[str, tuple[Any, str]]]:
    for name, value in options.items():
        row = rows()[name]
        if value is not None:
            yield name, (_parsed(row, value, row.flag, UsageError.default_hint), row.flag)


def _from_env(env: Mapping[str, str]) -> Iterator[tuple[str, tuple[Any, str]]]:
    for row in rows().values():
        if row.variable is not None and (text := env.get(row.variable)):
            hint = f"Correct the environment variable {row.variable} or unset it."
            yield row.name, (_parsed(row, text, row.variable, hint), row.variable)
        if row.secret is not None and (text := env.get(row.secret)):
            yield row.name, (Secret(row.secret, value=text), row.secret)


def _parsed(row: Row, value: object, origin: str, hint: str) -> object:
    try:
        return row.parse(value)
    except ValueError as error:
        raise UsageError(f"{origin}: {error}", hint=hint) from None
