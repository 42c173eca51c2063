"""Where profiles are found, and how one inherits from another."""

from pathlib import Path

import pytest

from atota.dialects import loader
from atota.dialects.methods.nfwupd import NfwupdSpec
from atota.dialects.methods.pushed_stream import PushedStreamSpec
from atota.errors import ConfigError, UsageError

CHILD = 'name = "{name}"\ntitle = "a test"\nextends = "{parent}"\n'
UPLOAD = """
[sources]
s = "a manual"
[method]
kind = "ack-upload"
test = "AT+QFUPL=?"
delete = "AT+QFDEL=1"
open = "AT+QFUPL={size}"
ready = "CONNECT"
window_s = 5.0
ack = "A"
ack_every = 1024
done = '(\\d+),(\\w+)'
start = "AT+QFOTADL=1"
source = "s"
[method.watch]
failed = ['END,([1-9])']
source = "s"
[reboot]
limit_s = 60.0
usual_s = 30.0
source = "s"
"""


@pytest.fixture(autouse=True)
def _nobodys_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr("platformdirs.user_config_dir", lambda *_, **__: str(tmp_path / "config" / "atota"))


def write(path: str, parent: str = "3gpp", more: str = "") -> str:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(CHILD.format(name=file.stem, parent=parent) + more, encoding="utf-8")
    return path


def test_a_file_inherits_everything_it_does_not_say() -> None:
    mine = loader.load(write("mine.toml", "quectel-hi2115", "[uart]\nbauds = [57600]\n"))
    parent = loader.load("quectel-hi2115")
    assert mine.uart.bauds == (57600,)
    assert mine.uart.after_update == parent.uart.after_update
    assert mine.method == parent.method
    assert mine.identify == parent.identify


def test_title_and_recognition_are_not_inherited() -> None:
    assert loader.load(write("mine.toml", "quectel-hi2115")).recognise is None
    Path("untitled.toml").write_text('name = "untitled"\nextends = "3gpp"\n')
    with pytest.raises(ConfigError, match=r"untitled\.toml: Object missing required field `title` - at `\$`"):
        loader.load("untitled.toml")


def test_a_childs_queries_urcs_and_finals_come_before_its_parents() -> None:
    more = """
[grammar]
urcs = [{ exact = "MINE" }]
finals = [{ text = "DONE", ok = true }]
[[identify]]
field = "version"
send = "AT+MINE?"
pattern = '(x)'
source = "27007"
"""
    mine, parent = loader.load(write("mine.toml", "3gpp", more)), loader.load("3gpp")
    assert [urc.exact for urc in mine.grammar.urcs[:1]] == ["MINE"]
    assert mine.grammar.urcs[1:] == parent.grammar.urcs
    assert mine.grammar.finals[0].text == "DONE"
    assert mine.grammar.finals[1:] == parent.grammar.finals
    assert mine.identify[0].send == "AT+MINE?"
    assert mine.identify[1:] == parent.identify


def test_other_arrays_replace_the_parents() -> None:
    mine = loader.load(write("mine.toml", "hi2115", 'setup = ["AT+CMEE=0"]\n[method]\nvalid = ["OKAY"]\n'))
    assert mine.setup == ("AT+CMEE=0",)
    assert isinstance(mine.method, NfwupdSpec)
    assert mine.method.valid == ("OKAY",)


def test_a_method_of_another_kind_keeps_only_how_the_parents_update_is_watched() -> None:
    write("base.toml", more=UPLOAD)
    method = """
[method]
kind = "pushed-stream"
test = "AT+QFOTADL=?"
open = "AT+QFOTADL={size}"
ready = "START"
ended = 'END,(\\d+)'
window_s = 35.0
piece = 32
pause_s = 0.01
source = "s"
"""
    mine = loader.load(write("mine.toml", "base", method))
    assert isinstance(mine.method, PushedStreamSpec)
    assert mine.method.watch.failed == ("END,([1-9])",)


def test_a_parent_is_found_beside_its_child() -> None:
    write("far/base.toml", more=UPLOAD)
    assert loader.load(write("far/mine.toml", "base")).method == loader.load("far/base.toml").method


@pytest.mark.parametrize("folder", ["boards/dialects", "config/atota/dialects"])
def test_a_users_own_dialect_is_found_by_its_name(folder: str) -> None:
    write(f"{folder}/mine.toml", "hi2115")
    assert loader.load("mine").name == "mine"
    assert loader.own_files() == {
        "mine": Path(folder) / "mine.toml"
        if folder.startswith("boards")
        else Path.cwd() / folder / "mine.toml"
    }
    assert loader.ancestry(loader.load("mine")) == ("mine", "hi2115", "hi21xx", "3gpp")


def test_the_boards_folder_goes_before_the_users_configuration() -> None:
    write("config/atota/dialects/mine.toml", "hi2115")
    write("boards/dialects/mine.toml", "hi2110")
    assert loader.load("mine").extends == "hi2110"


def test_a_built_in_name_that_a_file_of_the_user_has_too_is_an_error_with_both_files() -> None:
    write("boards/dialects/hi2115.toml", "3gpp")
    write("boards/dialects/mine.toml", "hi2115")
    for name, hint in (("hi2115", "my-hi2115.toml"), ("mine", "another name")):
        with pytest.raises(ConfigError) as caught:
            loader.load(name)
        assert caught.value.message.startswith("boards/dialects/hi2115.toml: a built-in dialect has the name")
        assert caught.value.message.endswith("profiles/hi2115.toml")
        assert hint in caught.value.hint
    assert [entry.wrong is not None for entry in loader.listed() if entry.name == "hi2115"] == [True]
    assert loader.load("quectel-hi2115").extends == "hi2115"  # built-in profiles inherit from built-in ones
    assert loader.own_files().keys() == {"mine"}


def test_a_file_called_like_its_built_in_parent_is_no_circle() -> None:
    assert loader.load(write("hi2115.toml", "hi2115")).method == loader.load("hi2115").method


def test_a_circle_is_told_with_its_names() -> None:
    write("a.toml", "b")
    write("b.toml", "a")
    with pytest.raises(ConfigError, match=r"b\.toml: extends goes in a circle: a > b > a - at `\$\.extends`"):
        loader.load("a.toml")


def test_an_unknown_parent_is_told_with_its_place() -> None:
    with pytest.raises(ConfigError, match=r"mine\.toml: unknown dialect 'nowhere' - at `\$\.extends`"):
        loader.load(write("mine.toml", "nowhere"))


def test_a_parent_whose_name_no_file_can_have_is_unknown(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(CHILD.format(name="mine", parent="x" * 5000))
    with pytest.raises(ConfigError, match=r"mine\.toml: unknown dialect 'x+' - at `\$\.extends`"):
        loader.load(str(file))


def test_an_unknown_name_lists_the_known_ones_and_the_users_own() -> None:
    write("boards/dialects/mine.toml")
    with pytest.raises(UsageError, match="unknown dialect 'nothing'") as raised:
        loader.load("nothing")
    assert "hi2115" in raised.value.hint
    assert "mine" in raised.value.hint


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("[uart]\nspeed = 9600\n", "Object contains unknown field `speed` - at `$.uart`"),
        ('[uart]\nbauds = ["9600"]\n', "Expected `int`, got `str` - at `$.uart.bauds[0]`"),
        ("[uart]\nbauds = [0]\n", "0 is too small: it must be above 0 - at `$.uart.bauds[0]`"),
        ("[recognise]\nmodel = '('\n", "is not a regular expression"),
        (
            "[grammar]\nurcs = [{ exact = 'X', continuaton = 1 }]\n",
            "unknown field `continuaton` - at `$.grammar.urcs[0]`",
        ),
    ],
)
def test_a_users_file_that_is_wrong_does_not_load(more: str, told: str) -> None:
    with pytest.raises(ConfigError) as raised:
        loader.load(write("mine.toml", more=more))
    assert raised.value.message.startswith("mine.toml: ")
    assert told in raised.value.message


def test_a_mistake_in_a_parent_is_told_with_the_parents_file() -> None:
    write("base.toml", more="[uart]\nwake_attempts = 0\n")
    with pytest.raises(ConfigError, match=r"^base\.toml: 0 is too small.* - at `\$\.uart\.wake_attempts`$"):
        loader.load(write("mine.toml", "base"))


def test_several_mistakes_are_counted_in_the_hint() -> None:
    with pytest.raises(ConfigError) as raised:
        loader.load(write("mine.toml", more="[uart]\nwake_attempts = 0\nbauds = []\n"))
    assert "lists all 2 mistakes" in raised.value.hint
