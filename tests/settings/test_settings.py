"""Each setting comes from the first place that gives it, and a secret is shown nowhere."""

import itertools
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atota.errors import AtotaError, ConfigError, UsageError
from atota.settings import resolve as settings
from atota.settings.board import Board, board_values, decode_board
from atota.settings.resolve import board_path, load_user_config, resolve
from atota.settings.table import Settings, rows

FAKE_KEY = "ZmFrZS1rZXktZmFrZS1rZXktZmFrZS1rZXk="
FAKE_HEADER = "version=2018-10-31&res=products%2F1&et=1&method=sha1&sign=RkFLRVNJR04%3D"
NOTHING: Mapping[str, str] = {}

# name, variable, then the value from: option, environment (text and value), board, user config, built-in
Line = tuple[str, str, object, str, object, object, object, object]
TABLE: list[Line] = [
    ("port", "ATOTA_PORT", "/dev/ttyUSB0", "COM7", "COM7", None, "sim://BC28", None),
    ("baud", "ATOTA_BAUD", 115200, "57600", 57600, None, None, None),
    ("first_baud", "", None, "", None, 9600, 4800, None),
    ("dialect", "ATOTA_DIALECT", "a", "b", "b", "c", "d", None),
    ("model", "ATOTA_MODEL", "BC28", "BC68", "BC68", "BC26", "M5310", None),
    ("board", "ATOTA_BOARD", Path("a.toml"), "b.toml", Path("b.toml"), None, Path("d.toml"), None),
    ("api", "ATOTA_API", "fuse", "STUDIO", "studio", "generic", "hawkbit", None),
    ("server", "ATOTA_SERVER", "http://a", "http://b", "http://b", "http://c", "http://d", None),
    ("dev_id", "ATOTA_DEV_ID", "1", "2", "2", "3", "4", None),
    ("product_id", "ATOTA_PRODUCT_ID", "1", "2", "2", "3", "4", None),
    ("task_type", "ATOTA_TYPE", "sota", "sota", "sota", "sota", "sota", "fota"),
    ("fw_version", "ATOTA_FW_VERSION", "1", "2", "2", "3", "4", None),
    ("auth_method", "ATOTA_AUTH_METHOD", "md5", "SHA1", "sha1", "md5", "sha1", "sha256"),
    ("device_name", "ATOTA_DEVICE_NAME", "a", "b", "b", "c", "d", None),
    ("user_id", "ATOTA_USER_ID", "1", "2", "2", "3", "4", None),
    ("key_level", "ATOTA_KEY_LEVEL", "device", "USER", "user", "product", "device", None),
    ("auth_ttl_s", "ATOTA_AUTH_TTL", 60, "70", 70, None, 90, 3600),
    ("ca_file", "ATOTA_CACERT", Path("a.pem"), "b.pem", Path("b.pem"), None, Path("d.pem"), None),
    ("timeout_s", "ATOTA_TIMEOUT", 60.5, "70.5", 70.5, 80.0, 90.0, None),
    ("reboot_timeout_s", "ATOTA_REBOOT_TIMEOUT", 60, "70", 70.0, 80.0, 90.0, None),
    ("transcript", "ATOTA_TRANSCRIPT", Path("a.log"), "b.log", Path("b.log"), None, Path("d.log"), None),
    ("transcripts_days", "ATOTA_TRANSCRIPTS_DAYS", None, "7", 7, None, 8, 90),
    ("transcripts_mb", "ATOTA_TRANSCRIPTS_MB", None, "50", 50, None, 60, 200),
    ("cache", "ATOTA_CACHE", Path("a"), "b", Path("b"), None, Path("d"), None),
    ("journal", "ATOTA_JOURNAL", Path("a.db"), "b.db", Path("b.db"), None, Path("d.db"), None),
]  # fmt: skip


def board_with(name: str, value: object) -> Board | None:
    place = rows()[name].board
    if value is None or place is None:
        return None
    *table, key = place.split(".")
    inner = {key: value}
    return msgspec.convert({"name": "b1", **({table[0]: inner} if table else inner)}, Board)


def test_the_table_of_tests_covers_every_setting_that_a_file_or_a_variable_gives() -> None:
    shared = {row.name for row in rows().values() if row.variable or row.key}
    assert {line[0] for line in TABLE} == shared - {"access_key"}


def test_every_row_is_a_field_of_its_name_and_every_field_a_row() -> None:
    assert [*rows(), "origin"] == list(Settings.__struct_fields__)


def test_no_two_rows_share_a_flag_a_variable_a_key_or_a_place_in_a_board() -> None:
    for names in (
        [flag for row in rows().values() for flag in row.flags],
        [name for row in rows().values() for name in (row.variable, row.secret) if name],
        [row.key for row in rows().values() if row.key],
        [row.board for row in rows().values() if row.board],
    ):
        assert len(names) == len(set(names))


def test_every_place_in_a_board_exists() -> None:
    assert board_values(Board(name="b")) == {}


@pytest.mark.parametrize("line", TABLE, ids=lambda line: line[0])
@pytest.mark.parametrize("given_by", list(itertools.product([True, False], repeat=4)))
def test_the_first_place_that_gives_a_value_wins(line: Line, given_by: tuple[bool, ...]) -> None:
    name, variable, option, text, from_env, from_board, from_config, built_in = line
    by_option, by_env, by_board, by_config = given_by
    got = resolve(
        {name: option} if by_option and option is not None else {},
        {variable: text} if by_env and variable else {},
        board_with(name, from_board) if by_board else None,
        {name: from_config} if by_config and from_config is not None else {},
    )
    flag = "--" + variable.removeprefix("ATOTA_").lower().replace("_", "-")
    expected, origin = next(
        (value, where)
        for there, value, where in [
            (by_option, option, flag),
            (by_env, from_env, variable),
            (by_board, from_board, "board b1"),
            (by_config, from_config, "user config"),
            (True, built_in, "built-in"),
        ]
        if there and (value is not None or where == "built-in")
    )
    assert (getattr(got, name), got.origin[name]) == (expected, origin)


def test_every_setting_has_an_origin() -> None:
    got = resolve({}, NOTHING, None, {})
    assert set(got.origin) == set(Settings.__struct_fields__) - {"origin"}
    assert set(got.origin.values()) == {"built-in"}


def test_an_empty_variable_counts_as_not_set() -> None:
    assert resolve({}, {"ATOTA_BAUD": "", "ATOTA_ACCESS_KEY": ""}, None, {}) == resolve({}, {}, None, {})


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("ATOTA_BAUD", "fast"), ("ATOTA_BAUD", "0"), ("ATOTA_BAUD", "-9600"), ("ATOTA_BAUD", "9600.5"),
        ("ATOTA_BAUD", "٩٦٠٠"), ("ATOTA_BAUD", "1" * 5000), ("ATOTA_TIMEOUT", "soon"), ("ATOTA_TIMEOUT", "0"),
        ("ATOTA_TIMEOUT", "nan"), ("ATOTA_TIMEOUT", "inf"), ("ATOTA_REBOOT_TIMEOUT", "-1"),
        ("ATOTA_AUTH_TTL", "1h"), ("ATOTA_TYPE", "firmware"), ("ATOTA_AUTH_METHOD", "sha512"),
        ("ATOTA_SERVER", "ota heclouds.com"), ("ATOTA_FW_VERSION", "a b"), ("ATOTA_DEV_ID", " "),
    ],
)  # fmt: skip
def test_a_bad_variable_is_a_usage_error_that_names_it(variable: str, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve({}, {variable: text}, None, {})
    assert caught.value.message.startswith(f"{variable}: ")
    assert variable in caught.value.hint


def test_a_bad_option_is_a_usage_error_that_names_it() -> None:
    with pytest.raises(UsageError, match=r"^--reboot-timeout: 'x' is not a number of seconds"):
        resolve({"reboot_timeout_s": "x"}, NOTHING, None, {})


def test_a_bad_variable_counts_even_under_an_option() -> None:
    with pytest.raises(UsageError, match="ATOTA_BAUD"):
        resolve({"baud": 9600}, {"ATOTA_BAUD": "x"}, None, {})


def test_a_board_with_a_blank_value_is_a_config_error_that_names_the_board() -> None:
    with pytest.raises(ConfigError, match=r"^b1\.toml: dev_id: it is empty - at `\$\.ota`$"):
        decode_board('name = "b1"\n[ota]\ndev_id = " "', name="b1.toml")


def test_an_option_that_nobody_knows_is_our_bug() -> None:
    with pytest.raises(AtotaError, match="unknown settings: bawd") as caught:
        resolve({"bawd": 1}, NOTHING, None, {})
    assert caught.value.exit_code == 1


def test_a_password_in_the_server_s_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError) as caught:
        resolve({}, {"ATOTA_SERVER": "https://joe:hunter2@host"}, None, {})
    assert "hunter2" not in caught.value.message


def test_a_slash_at_the_end_of_the_server_is_dropped() -> None:
    assert resolve({"server": "http://127.0.0.1:8080/"}, NOTHING, None, {}).server == "http://127.0.0.1:8080"


def test_the_key_comes_from_the_first_place_that_gives_it(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / name).write_text(f"key-{name}\n", encoding="utf-8")
    option, variable, config = (str(tmp_path / name) for name in "abc")
    env = {"ATOTA_ACCESS_KEY": FAKE_KEY, "ATOTA_ACCESS_KEY_FILE": variable}
    user = {"access_key": Path(config)}

    def key(
        options: Mapping[str, object], env: Mapping[str, str], user: Mapping[str, object]
    ) -> tuple[str, str]:
        got = resolve(options, env, None, user)
        assert got.access_key is not None
        return got.access_key.read(), got.origin["access_key"]

    assert key({"access_key": option}, env, user) == ("key-a", "--access-key-file")
    assert key({}, env, user) == (FAKE_KEY, "ATOTA_ACCESS_KEY")
    assert key({}, {"ATOTA_ACCESS_KEY_FILE": variable}, user) == ("key-b", "ATOTA_ACCESS_KEY_FILE")
    assert key({}, {}, user) == ("key-c", "user config")
    assert resolve({}, {}, None, {}).access_key is None


def test_secrets_are_shown_nowhere() -> None:
    got = resolve({}, {"ATOTA_ACCESS_KEY": FAKE_KEY, "ATOTA_AUTHORIZATION": FAKE_HEADER}, None, {})
    assert got.access_key is not None
    assert got.authorization is not None
    assert (got.access_key.read(), got.authorization.read()) == (FAKE_KEY, FAKE_HEADER)
    shown = " ".join(
        [repr(got), str(got), f"{got}", repr(got.access_key), str(got.authorization), *got.explain()]
    )
    assert FAKE_KEY not in shown
    assert "RkFLRVNJR04" not in shown
    assert "access_key: (secret) (ATOTA_ACCESS_KEY)" in got.explain()
    with pytest.raises(TypeError):
        msgspec.json.encode(got)  # nor can it slip into a record


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"", "is empty"), (b" \n", "is empty"), (b"key-1\nkey-2\n", "more than one line"),
     (b"\xff\xfek\0e\0y\0-\x001\0", "not UTF-8")],
)  # fmt: skip
def test_a_key_file_that_holds_no_key_is_a_config_error(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    got = resolve({"access_key": path}, NOTHING, None, {})
    assert got.access_key is not None
    with pytest.raises(ConfigError, match=problem) as caught:
        got.access_key.read()
    assert str(path) in caught.value.message
    assert "key-1" not in caught.value.message


@pytest.mark.parametrize("name", ["missing", ".", "nul\0byte", "~nobody-here/key"])
def test_a_key_file_that_cannot_be_read_is_a_config_error_when_it_is_needed(
    tmp_path: Path, name: str
) -> None:
    file = name if name.startswith("~") else str(tmp_path) + "/" + name
    got = resolve({}, {"ATOTA_ACCESS_KEY_FILE": file}, None, {})
    assert got.access_key is not None
    with pytest.raises(ConfigError, match="cannot be read") as caught:
        got.access_key.read()
    assert "ATOTA_ACCESS_KEY_FILE" in caught.value.hint


def test_a_key_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"\xef\xbb\xbf" + FAKE_KEY.encode() + b"\r\n")
    got = resolve({"access_key": path}, NOTHING, None, {})
    assert got.access_key is not None
    assert got.access_key.read() == FAKE_KEY


def test_the_board_file_is_named_by_the_same_precedence() -> None:
    config = {"board": Path("c.toml")}
    assert board_path({"board": "a.toml"}, {"ATOTA_BOARD": "b.toml"}, config) == Path("a.toml")
    assert board_path({"board": None}, {"ATOTA_BOARD": "b.toml"}, config) == Path("b.toml")
    assert board_path({}, {}, config) == Path("c.toml")
    assert board_path({}, {}, {}) is None


def test_paths_in_the_user_config_begin_at_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_text('board = "b.toml"\naccess_key_file = "/etc/key"\nauth_ttl_s = 60\n', encoding="utf-8")
    config = load_user_config({"ATOTA_CONFIG": str(path)})
    assert config == {"board": tmp_path / "b.toml", "access_key": Path("/etc/key"), "auth_ttl_s": 60}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("bawd = 1", "unknown field `bawd`"),
        ('access_key = "x"', "unknown field `access_key`"),
        ('server = "x"', "server: 'x' is not an address"),
        ("auth_ttl_s = 0", "auth_ttl_s: 0 is not a whole number from 1"),
        ('fw_version = "a b"', "fw_version: the platform takes no version"),
        ("baud = 0", r"at `\$\.baud`"),
    ],
)
def test_a_wrong_user_config_is_a_config_error(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=problem) as caught:
        load_user_config({"ATOTA_CONFIG": str(path)})
    assert caught.value.message.startswith(f"{path}: ")


def test_the_user_config_may_be_missing_unless_it_was_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "user_config_path", lambda: tmp_path / "config.toml")
    assert load_user_config(NOTHING) == {}
    with pytest.raises(ConfigError, match="No such file"):
        load_user_config({"ATOTA_CONFIG": str(tmp_path / "named.toml")})
    (tmp_path / "config.toml").write_text("baud = 9600", encoding="utf-8")
    assert load_user_config(NOTHING) == {"first_baud": 9600}


def test_loads_nothing_heavy() -> None:
    code = (
        "import sys, atota.settings.resolve;"
        "print([m for m in ('httpx', 'serial', 'starlette', 'sqlite3', 'typer') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@given(st.dictionaries(st.sampled_from([line[1] for line in TABLE if line[1]]), st.text(max_size=20)))
def test_any_environment_gives_settings_or_a_usage_error(env: dict[str, str]) -> None:
    try:
        told = resolve({}, env, None, {}).explain()
    except UsageError as error:
        told = [error.message]
    assert any(line.startswith(("ATOTA_", "task_type: ")) for line in told)
