"""A mistake in a file that people edit is told with the file's name, the place and a next step."""

import os
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atota.errors import ConfigError
from atota.files import decode_toml, load_toml


class Serial(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    timeout_s: float = 1.0


class Shape(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    serial: Serial = Serial()

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("name is empty")


def test_reads_a_file_into_its_struct(tmp_path: Path) -> None:
    path = tmp_path / "bench.toml"
    path.write_text('name = "测试"\n[serial]\ntimeout_s = 2\n', encoding="utf-8")
    assert load_toml(path, Shape) == Shape("测试", Serial(2.0))


def test_passes_over_a_byte_order_mark() -> None:
    assert decode_toml(b'\xef\xbb\xbfname = "a"\r\n', Shape, name="x").name == "a"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'name = "a"\n[serial]\ntimout_s = 1\n',
            "bench.toml: Object contains unknown field `timout_s` - at `$.serial`",
        ),
        (
            'name = "a"\n[serial]\ntimeout_s = "1"\n',
            "bench.toml: Expected `float`, got `str` - at `$.serial.timeout_s`",
        ),
        ("[serial]\n", "bench.toml: Object missing required field `name`"),
        ('name = ""\n', "bench.toml: name is empty"),
        ('name = "a"\nserial = [\n', "bench.toml: Invalid value (at end of document)"),
        ('name = "a"\n\nb = oops\n', "bench.toml: Invalid value (at line 3, column 5)"),
        ('name = "a"\nname = "b"\n', "bench.toml: Cannot overwrite a value (at line 2, column 11)"),
    ],
)
def test_names_the_file_and_the_place(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        decode_toml(text, Shape, name="bench.toml")
    assert caught.value.message == message
    assert caught.value.hint


def test_names_the_line_that_is_not_utf8() -> None:
    with pytest.raises(ConfigError, match=r"^b\.toml: Not UTF-8 \(at line 2\)$") as caught:
        decode_toml(b'name = "a"\n# \xff\n', Shape, name="b.toml")
    assert "UTF-8" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "words"),
    [("name = " + "[" * 100_000, "nested too deeply"), ("name = " + "1" * 5000, "digits")],
)
def test_python_s_own_limits_are_config_errors_too(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        decode_toml(text, Shape, name="b.toml")


def test_a_missing_file_is_named_as_it_was_spelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"^boards/none\.toml: No such file$") as caught:
        load_toml("boards/none.toml", Shape)
    assert "spelling" in caught.value.hint


def test_a_directory_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="This is a directory"):
        load_toml(tmp_path, Shape)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_told_as_such(tmp_path: Path) -> None:
    path = tmp_path / "secret.toml"
    path.write_text("")
    path.chmod(0)
    with pytest.raises(ConfigError, match="Not readable"):
        load_toml(path, Shape)


@pytest.mark.parametrize("path", ["a\0b", "file.toml/inside"])
def test_an_impossible_path_is_a_config_error(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.toml").write_text("")
    with pytest.raises(ConfigError):
        load_toml(path, Shape)


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_any_input_gives_the_struct_or_a_config_error(text: bytes | str) -> None:
    try:
        value: object = decode_toml(text, Shape, name="x")
    except ConfigError as error:
        value = error.message
    assert isinstance(value, Shape) or str(value).startswith("x: ")
