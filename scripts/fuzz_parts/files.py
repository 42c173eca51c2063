"""The files that people write: profiles, boards, configuration, the platform's tasks, transcripts."""

import atexit
import functools
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from atota.at.exchange import Exchange
from atota.at.syntax import Command
from atota.dialects import loader
from atota.dialects.dump import as_toml
from atota.dialects.model import Dialect, sends
from atota.errors import ConfigError
from atota.files import decode_toml
from atota.otaserver import model
from atota.review.traces import read_traces, turns
from atota.settings.board import decode_board
from atota.settings.resolve import load_user_config, resolve
from atota.transcript.trace import parse_trace
from scripts.fuzz_parts import seeds
from scripts.fuzz_parts.answers import hearers, listen
from scripts.fuzz_parts.target import Broken, Target, head, need

_HEARD = b"\r\nREBOOT_CAUSE_X\r\n+CGMR: 1\r\n9999\r\n\xff\r\nOK\r\n"
_LINES = ("", "a", "12345", '+FOTAIND: "UPDATING", 7', "9" * 5000)


@functools.cache
def folder() -> Path:
    """A folder of this process, in memory where there is such a thing."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it
    made = Path(tempfile.mkdtemp(prefix="atota-fuzz-", dir=memory if memory.is_dir() else None))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    (made / "app.bin").write_bytes(b"package")
    return made


def _refused(call: Callable[[], object], name: str) -> object:
    """Return the call's result; None if it refuses, which it must with the file's name and a hint."""
    try:
        return call()
    except ConfigError as error:
        need(error.message.startswith(name), f"the error does not begin with the file: {error.message}")
        need(len(error.message) > len(name) + 2, "the error does not say what is wrong")
        need(error.hint, "the error does not say what to do")
        return None


# --- profiles ----------------------------------------------------------------------------------------


def profile(data: bytes) -> None:
    path = folder() / "mine.toml"
    path.write_bytes(data)
    try:
        dialect = loader.load(str(path))
    except ConfigError as error:
        need(".toml: " in error.message, f"the error does not name a file: {error.message}")
        return
    exchange = Exchange(dialect.syntax)
    exchange.send(Command.of("AT+CGMR"))
    exchange.receive(_HEARD)
    exchange.boot_over()
    sends(dialect)
    for line in _LINES:
        listen(hearers(dialect), line)
    written = as_toml(str(path))
    again = decode_toml(written, Dialect, name="written again")
    if again != dialect:
        raise Broken(f"written out and read again it is another profile:\n{written}")


_SMALL = b"""
extends = "hi2115"
name = "mine"
title = "Mine"
hardware = "not seen"
evidence = "documented"
platform_makes_deltas = false
setup = ["AT+CMEE=1"]
sources.manual = "AT manual V1, chapter 3"
errors = { 50 = "incorrect parameters" }
weights = { write = 5.0, reboot = 1 }
recognise = { manufacturer = "(?i)mine", model = "^M1" }
probe = { send = "AT+MINE=?", pattern = "\\\\+MINE: ?(\\\\d)" }
[uart]
bauds = [9600, 115200]
after_update = [9600]
pause_after_final_s = 0.02
command_line_limit = 1024
[grammar]
ignored_bytes = [0]
[[grammar.urcs]]
prefix = "+MINE:"
continuation = 1
solicited = "\\\\+MINE: ?\\\\d,\\\\d"
[[grammar.finals]]
text = "DONE"
ok = true
commands = ["+MINE"]
[grammar.boot]
lines = ["REBOOT", "Mine .*"]
cause = "CAUSE_(\\\\w+)"
ends_with_ok = true
[[identify]]
field = "version"
send = "AT+MINE?"
pattern = "^(V\\\\S+)$"
source = "manual"
[[prepare]]
send = "AT+CFUN=0"
undo = "AT+CFUN=1"
ask = "AT+CFUN?"
when = "1"
why = "it must be quiet"
source = "manual"
[reboot]
limit_s = 300.0
usual_s = 60
update_causes = ["FOTA"]
source = "manual"
"""


def _profile_seeds() -> list[bytes]:
    built_in = [text for text in seeds.texts("atota/dialects/profiles") if len(text) < 6000]
    plain = _SMALL.replace(b'"hi2115"', b'"3gpp"')
    return [_SMALL, plain, *(block + b"\n" for block in _blocks(plain)), *built_in]


def _blocks(text: bytes) -> list[bytes]:
    top, *tables = re.split(rb"(?m)^(?=\[)", text)
    return [top + table for table in tables]


def _toml_words(text: bytes) -> list[bytes]:
    lines = [line for line in text.splitlines() if line]
    keys = re.findall(rb"\b\w+(?= =)", text)
    plain = (
        b'""', b"[]", b"{}", b"= true\n", b"= -1\n", b"= 1e999\n", b"nan", b"inf",
        b"= 99999999999999999999\n", b"[" * 60, b"(", b"[a-", b"*", b"(?i)", b"(?P<a>x)", b"\\\\1",
        b"\\u0000", b"\\", b"1979-05-27T07:32:00Z", b"'''", b'"""', b"#", b"\xef\xbb\xbf", b"|", b"(x)?",
        b"{", b"}", b"{baud}", b"\xff",
    )  # fmt: skip
    return [*plain, *(line + b"\n" for line in lines), *(key + b" = " for key in keys)]


# --- boards, configuration, tasks --------------------------------------------------------------------


def board(data: bytes) -> None:
    if _refused(lambda: decode_board(data, name="board.toml"), "board.toml: ") is None:
        return
    board = decode_board(data, name="board.toml")
    board.accept.fits("BC28")
    board.adapter.matches(usb_id="10c4:ea60", serial="1", location="1-4.2:1.0", by_path="/dev/x")
    resolve({}, {}, board, {})


def config(data: bytes) -> None:
    path = folder() / "config.toml"
    path.write_bytes(data)
    loaded = _refused(lambda: load_user_config({"ATOTA_CONFIG": str(path)}), f"{path}: ")
    if isinstance(loaded, dict):
        settings = resolve({}, {}, None, loaded)
        need(
            all(line.isprintable() or "\n" not in repr(line) for line in settings.explain()), "not explained"
        )


def tasks(data: bytes) -> None:
    (folder() / model.TASKS_FILE).write_bytes(data)
    _refused(lambda: model.load(folder(), environ={"PLATFORM_KEY": "YWJj"}), str(folder() / model.TASKS_FILE))


_CONFIG = b"""
port = "/dev/ttyUSB0"
baud = 9600
dialect = "hi2115"
model = "BC28"
board = "bench.toml"
server = "https://ota.heclouds.com"
dev_id = "6523"
product_id = "1000"
type = "fota"
fw_version = "V1.0"
auth_method = "sha256"
device_name = "line1"
auth_ttl_s = 3600
timeout_s = 900.0
reboot_timeout_s = 300
transcript = "~/t.txt"
access_key_file = "key"
"""
_TASKS = b"""
[auth]
product_id = "123123"
access_key_env = "PLATFORM_KEY"
required = true

[[device]]
dev_id = "6523"
name = "line1"
key = "YWJj"
imei = "490154203237518"
f_version = "V1.0"

[[task]]
dev_id = "6523"
type = "fota"
manuf = "001"
model = "00107"
package = "app.bin"
target = "V2.0"
signal = 3
power = 20
sha256 = "bb21ac8f9f4b5e5c2c4d8e6c4a2f7c6c3d6ce0f2d9be1d2d9bb0e2a1f1f8d9c0"

[[task]]
dev_id = "*"
type = "sota"
kind = "delta"
base = "V1.0"
manuf = "001"
model = "00107"
package = "app.bin"
target = "V2.0"
"""


# --- conversations on file ---------------------------------------------------------------------------


def trace(data: bytes) -> None:
    (kind,), rest = head(data, 1)
    text = rest.decode("ascii", "ignore")
    dialect = seeds.dialects()[kind % len(seeds.dialects())]
    try:
        parsed = parse_trace(text)
    except ConfigError as error:
        need("line" in error.message, "the error does not name the line")
        return
    need(sum(len(turn.response) for turn in turns(parsed)) <= len(text), "more came than is written")
    read_traces(dialect, [parsed])


def transcript(data: bytes) -> None:
    from atota.transcript.recording import read_recording

    path = folder() / "transcript"
    path.write_bytes(data)
    try:
        recording = read_recording(path)
    except ConfigError as error:
        need(str(path) in error.message, "the error does not name the file")
        return
    need(len(recording.stream("<")) + len(recording.stream(">")) <= len(data), "more passed than is written")
    for entry in recording.entries:
        str(entry)


_TRANSCRIPT = rb"""# atota transcript 1
# link /dev/ttyUSB0
# started 2026-01-01T00:00:00.000Z
# command identify
0.000 ! baud 9600
0.000 > AT\r
0.012 < AT\r\r\n
0.013 < OK\r\n
0.400 ! dtr on rts off
0.500 ! baud 115200
0.600 > AT+KEY=****\r
0.700 < \xff\x2a\\\t\x20
0.800 ! link.lost the adapter was pulled out
0.900 ! opened /dev/ttyUSB1
9.000 ! closed
"""

TARGETS = (
    Target(
        name="profile",
        promise="any TOML as a profile: a ConfigError that names the file, or a dialect that works",
        check=profile,
        seeds=_profile_seeds,
        words=lambda: _toml_words(_SMALL),
        longest=6000,
    ),
    Target(
        name="board",
        promise="any TOML as a board: a ConfigError that begins with the file, or a board that works",
        check=board,
        seeds=lambda: list(seeds.texts("boards")),
        words=lambda: _toml_words(next(seeds.texts("boards"))),
        longest=6000,
    ),
    Target(
        name="config",
        promise="any TOML as the user's configuration: a ConfigError that begins with the file, or settings",
        check=config,
        seeds=lambda: [_CONFIG],
        words=lambda: _toml_words(_CONFIG),
        longest=6000,
    ),
    Target(
        name="tasks",
        promise="any TOML as the platform's tasks: a ConfigError that begins with the file, or a platform",
        check=tasks,
        seeds=lambda: [_TASKS, *_blocks(_TASKS)],
        words=lambda: [*_toml_words(_TASKS), b"../x", b"\\u0000", b"C:x", b"/etc"],
        longest=6000,
    ),
    Target(
        name="trace",
        promise="any text as a literal conversation: what any profile reads in it, no exception",
        check=trace,
        seeds=lambda: [bytes([n % 40]) + text.encode()[:900] for n, (_, text) in enumerate(seeds.traces())],
        words=lambda: [
            b"\n> ",
            b"\n< ",
            b"\n>> ",
            b"\\r\\n",
            b"\\x41",
            b"\\x",
            b"\\\\",
            b"OK",
            b"\n# sim: ",
            b"\n~ 1",
        ],
        longest=6000,
    ),
    Target(
        name="transcript",
        promise="any text as a transcript: what passed, or a ConfigError that names the file",
        check=transcript,
        seeds=lambda: [_TRANSCRIPT],
        words=lambda: (
            [line + b"\n" for line in _TRANSCRIPT.splitlines()]
            + [b"\\x", b"\\", b"*", b" < ", b" ! ", b"nan"]
        ),
        longest=6000,
    ),
)
