"""A board file gives exactly what it says, and a slip of the pen is told with file and place."""

import re
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atota.dialects.loader import load
from atota.errors import ConfigError
from atota.settings.board import Accept, Adapter, Board, decode_board, load_board
from atota.settings.chip import Chip
from atota.settings.steps import Step

BOARDS = Path(__file__).parents[2] / "boards"
README = BOARDS / "README.md"

WHOLE = """
name = "bench"
model = "bc28"
dialect = "quectel-hi2115"
[adapter]
vid = "10C4"
pid = "ea60"
serial = "0001"
location = "1-4.2"
by_path = "/dev/serial/by-path/pci-0000:00:14.0-usb-0:4.2:1.0-port0"
[serial]
baud = 9600
transfer_baud = 0
flow = "xon-xoff"
low_latency = true
[reset]
sequence = ["rts:1", "wait:0.1", "rts:0", "wait:3"]
[power]
on = ["dtr:1", "wait:2"]
[ota]
server = "http://127.0.0.1:8080"
dev_id = "6523"
product_id = "123123"
type = "sota"
fw_version = "V1.0_a-b"
auth_method = "sha1"
device_name = "meter-7"
[limits]
reboot_timeout_s = 600
timeout_s = 1800.5
[accept]
model = "^BC(28|68)"
downgrade = true
"""
NOT_A_PATTERN = "'^BC(' is not a regular expression: missing ), unterminated subpattern at position 3"
ALLOWED = "allowed are letters, digits, '_', '-' and '.'"
FORMS = "expected 'rts:0', 'rts:1', 'dtr:0', 'dtr:1' or 'wait:SECONDS'"


@pytest.mark.parametrize("path", sorted(BOARDS.glob("*.toml")), ids=lambda path: path.name)
def test_every_board_of_the_project_loads(path: Path) -> None:
    assert load_board(path).name == path.stem


def test_the_example_in_the_readme_loads() -> None:
    examples = re.findall(
        r"^```toml\n(.*?)^```", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    assert [decode_board(text, name="README.md").name for text in examples] == [
        "bench-3",
        "my-chip",
        "bench-stm32",
    ]


def test_the_readme_names_every_field_of_a_chip() -> None:
    text = README.read_text(encoding="utf-8")
    assert {name for name in Chip.__struct_fields__ if f"`{name}`" not in text} == set()


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("version = { send = 'AT' }", "A version is read by `send` and `expect`, or by `banner`"),
        ("version = { banner = 'x(' }", "is not a regular expression"),
        ("version = { banner = 'x' }", "has no group that holds the version"),
        ("flash = ['tool', '{key}']", "flash: {key} is not one of"),
        ("protocol = 'jtag'", "Invalid enum value 'jtag'"),
        ("enter = ['reset']", "Bad step 'reset'"),
    ],
)
def test_refuses_a_chip(line: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(problem)) as raised:
        decode_board(f"name = 'b'\n[chip]\n{line}\n", name="b.toml")
    assert "$.chip" in raised.value.message


def test_the_dialect_in_the_readme_loads(tmp_path: Path) -> None:
    (example,) = re.findall(r"   ```toml\n(.*?)   ```", README.read_text(encoding="utf-8"), re.DOTALL)
    path = tmp_path / "acme-x1.toml"
    path.write_text(textwrap.dedent(example), encoding="utf-8")
    assert load(str(path)).title == "Acme X1 (Hi2115)"


def test_the_readme_names_every_field() -> None:
    text = README.read_text(encoding="utf-8")
    board = decode_board(WHOLE, name="whole")
    for name in Board.__struct_fields__:
        part = getattr(board, name)
        for field in getattr(part, "__struct_fields__", (name,)):
            assert re.search(rf"`(?:\[{name}\] )?[^`]*\b{field}\b[^`]*`", text), f"{name}.{field}"


def test_reads_every_field() -> None:
    board = decode_board(WHOLE, name="bench.toml")
    assert (board.name, board.model, board.dialect) == ("bench", "bc28", "quectel-hi2115")
    assert (board.serial.baud, board.serial.transfer_baud, board.serial.flow) == (9600, 0, "xon-xoff")
    assert board.reset is not None
    assert [str(step) for step in board.reset.sequence] == ["rts:1", "wait:0.1", "rts:0", "wait:3"]
    assert board.power is not None
    assert board.power.on == (Step("dtr:1"), Step("wait:2"))
    assert (board.ota.type, board.ota.fw_version, board.ota.auth_method) == ("sota", "V1.0_a-b", "sha1")
    assert (board.limits.reboot_timeout_s, board.limits.timeout_s) == (600.0, 1800.5)
    assert board.accept == Accept(model="^BC(28|68)", downgrade=True)


def test_needs_only_a_name() -> None:
    board = decode_board('name = "b"', name="b.toml")
    assert board == Board(name="b")
    assert (board.reset, board.power, board.adapter.given) == (None, None, False)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("timeout_s = 1800.5", "timout_s = 1", "Object contains unknown field `timout_s` - at `$.limits`"),
        ("baud = 9600", 'baud = "9600"', "Expected `int | null`, got `str` - at `$.serial.baud`"),
        ("baud = 9600", "baud = 0", "Expected `int` >= 1 - at `$.serial.baud`"),
        ('vid = "10C4"', "vid = 0x10c4", "Expected `str | null`, got `int` - at `$.adapter.vid`"),
        ('"wait:0.1", "rts:0"', '"wait:0.1", "rst:0"',
         "Bad step 'rst:0': " + FORMS + " - at `$.reset.sequence[2]`"),
        ('on = ["dtr:1", "wait:2"]', "on = [0]", "Bad step 0: " + FORMS + " - at `$.power.on[0]`"),
        ('on = ["dtr:1", "wait:2"]', "", "Object missing required field `on` - at `$.power`"),
        ('on = ["dtr:1", "wait:2"]', "on = []", "Expected `array` of length >= 1 - at `$.power.on`"),
        ('"V1.0_a-b"', '"V1.0 b"',
         "fw_version: the platform takes no version 'V1.0 b': it holds ' '; " + ALLOWED + " - at `$.ota`"),
        ('"^BC(28|68)"', '"^BC("',
         NOT_A_PATTERN + " - at `$.accept`"),
        ('model = "bc28"', 'model = "BC82"',
         "The catalogue has no model 'BC82': did you mean BC28 or BC68 or BC26?"),
        ('model = "bc28"', 'model = "nonsense"',
         "The catalogue has no model 'nonsense': `atota modules` lists them all"),
        ('flow = "xon-xoff"', 'flow = "hardware"', "Invalid enum value 'hardware' - at `$.serial.flow`"),
        ("timeout_s = 1800.5", "timeout_s = -1", "Expected `float` > 0.0 - at `$.limits.timeout_s`"),
        ("timeout_s = 1800.5", "timeout_s = inf", "Expected `float` <= 604800.0 - at `$.limits.timeout_s`"),
        ("timeout_s = 1800.5", "timeout_s = nan", "Expected `float` > 0.0 - at `$.limits.timeout_s`"),
        ('name = "bench"', 'name "bench"',
         "Expected '=' after a key in a key/value pair (at line 2, column 6)"),
    ],
)  # fmt: skip
def test_tells_what_is_wrong_and_where(old: str, new: str, message: str) -> None:
    assert WHOLE.count(old) >= 1
    with pytest.raises(ConfigError) as caught:
        decode_board(WHOLE.replace(old, new), name="bench.toml")
    assert caught.value.message == f"bench.toml: {message}"
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    "server", ["ftp://x", "https://", "https://user:pass@host/", "https://host/path", "host?token=pass"]
)
def test_a_server_is_an_address_without_path_and_credentials(server: str) -> None:
    with pytest.raises(ConfigError, match=r"^b\.toml: server: .* - at `\$\.ota`$") as caught:
        decode_board(f'name = "b"\n[ota]\nserver = "{server}"\n', name="b.toml")
    assert "pass" not in caught.value.message.replace("password", "")


def test_a_missing_board_is_a_config_error_with_a_next_step(tmp_path: Path) -> None:
    path = tmp_path / "none.toml"
    with pytest.raises(ConfigError) as caught:
        load_board(path)
    assert caught.value.message == f"{path}: No such file"
    assert "spelling" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "line", "asserted", "wait_s"),
    [("rts:1", "rts", True, 0.0), ("dtr:0", "dtr", False, 0.0), ("wait:0.25", None, False, 0.25)],
)
def test_a_step_sets_a_line_or_waits(text: str, line: str | None, asserted: bool, wait_s: float) -> None:
    step = Step(text)
    assert (step.line, step.asserted, step.wait_s) == (line, asserted, wait_s)
    assert Step(str(step)) == step


@given(st.text(max_size=12) | st.from_regex(r"(rts|dtr|wait):[\d.-]{0,7}", fullmatch=True))
def test_any_step_is_understood_or_refused(text: str) -> None:
    try:
        step = Step(text)
    except ValueError as error:
        assert repr(text) in str(error)  # noqa: PT017
    else:
        assert step.line in ("dtr", "rts") or 0 <= step.wait_s < 10_000
        assert hash(Step(str(step))) == hash(step)


CP2102 = {
    "usb_id": "10c4:ea60",
    "serial": "0001",
    "location": "1-4.2:1.0",
    "by_path": "/dev/serial/by-path/p0",
}


@pytest.mark.parametrize(
    ("adapter", "matches"),
    [
        (Adapter(), False),
        (Adapter(vid="10C4"), True),
        (Adapter(vid="10c4", pid="ea60", serial="0001", location="1-4.2", by_path="p0"), True),
        (Adapter(location="1-4.2:1.0"), True),
        (Adapter(location="1-4.2:1.1"), False),
        (Adapter(location="1-4"), False),
        (Adapter(by_path="/dev/serial/by-path/p0"), True),
        (Adapter(vid="10c4", serial="0002"), False),
        (Adapter(pid="ea61"), False),
    ],
)
def test_an_adapter_is_recognised_by_all_that_the_board_says(adapter: Adapter, matches: bool) -> None:
    assert adapter.matches(**CP2102) is matches
    assert adapter.matches(usb_id=None, serial=None, location=None, by_path=None) is False


def test_accepts_a_model_by_its_expression() -> None:
    accept = Accept(model="^BC(28|68)")
    assert [accept.fits(m) for m in ("BC28", "bc68JA-02-STD", "BC95-G", None)] == [True, True, False, False]
    assert Accept().fits(None)
