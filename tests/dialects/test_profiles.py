"""Every profile is right, every kind of mistake is found, and what is shown is what is meant."""

import tomllib
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from atota.dialects import loader
from atota.dialects.checks import mistakes, shape_mistakes
from atota.dialects.dump import as_toml, explain
from atota.dialects.layers import DEFAULT, Layer, merge, origins, place_of
from atota.dialects.model import Dialect, sends
from atota.dialects.registry import method_specs
from atota.dialects.texts import Send, roles

HEAD: dict[str, Any] = {
    "name": "mine",
    "title": "a test",
    "sources": {"s": "a manual"},
    "uart": {"bauds": [9600]},
    "identify": [{"field": "version", "send": "AT+CGMR", "pattern": "(.+)", "source": "s"}],
}
WATCH: dict[str, Any] = {"failed": ["END,([1-9])"], "progress": [r"UPDATING,(\d+)"], "source": "s"}
REBOOT: dict[str, Any] = {"limit_s": 60.0, "usual_s": 30.0, "source": "s"}
NFWUPD: dict[str, Any] = {
    "kind": "nfwupd",
    "command": "AT+NFWUPD",
    "answer": "+NFWUPD:",
    "flow": "validate-then-start",
    "blocks": {"default": 256, "largest": 512, "multiple": 4, "source": "s"},
    "valid": ["PACKAGE_OK"],
    "times": {"erase_s": 1.0, "block_s": 1.0, "validate_s": 1.0, "start_s": 1.0},
    "source": "s",
}
FILE: dict[str, Any] = {
    "kind": "file-append",
    "test": "AT+CFSWFILE=?",
    "begin": "AT+CFSINIT",
    "end": "AT+CFSTERM",
    "free": {"send": "AT+CFSGFRS?", "pattern": r"(\d+)"},
    "write": 'AT+CFSWFILE=1,"update.zip",{mode},{length},{window_ms}',
    "ready": "DOWNLOAD",
    "piece": 10000,
    "window_ms": 10000,
    "size": {"send": "AT+CFSGFIS=1", "pattern": r"(\d+)"},
    "read": "AT+CFSRFILE=1,{length},{offset}",
    "read_header": r"(\d+)",
    "start": "AT+CFOTA=1",
    "outcome": {"send": "AT+CFOTA?", "pattern": r"(\d+)"},
    "good_outcomes": ["6"],
    "watch": WATCH,
    "source": "s",
}
FLASH: dict[str, Any] = {
    "kind": "flash-write",
    "erase": "AT+CFLE=0,{blocks}",
    "erase_block": 4096,
    "most_blocks": 145,
    "erase_s": 60.0,
    "write": "AT+CFLW={length},{offset}",
    "prompt": ">",
    "piece": 512,
    "window_s": 10,
    "start": "AT+CFOTA=5",
    "watch": WATCH,
    "source": "s",
}
XMODEM: dict[str, Any] = {
    "kind": "xmodem",
    "open": "AT+UFWUPD=3",
    "ready": "+UFWUPD: ONGOING",
    "block": 1024,
    "retries": 10,
    "window_s": 20.0,
    "start": "AT+UFWINSTALL",
    "watch": WATCH,
    "source": "s",
}
URL: dict[str, Any] = {
    "kind": "url-pull",
    "test": "AT+QFOTADL=?",
    "start": 'AT+QFOTADL="{url}"',
    "longest_url": 255,
    "schemes": ["http"],
    "attached": [{"send": "AT+CEREG?", "pattern": r"\d,(1|5)"}],
    "watch": WATCH,
    "source": "s",
}


def profile(method: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """A profile that is right, with a method, and with changes at paths like ``uart__bauds``."""
    tables: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(HEAD))
    if method is not None:
        tables |= msgspec.json.decode(msgspec.json.encode({"method": method, "reboot": REBOOT}))
    for path, value in changes.items():
        *above, last = path.split("__")
        table = tables
        for key in above:
            table = table.setdefault(key, {})
        if value is None:
            del table[last]
        else:
            table[last] = value
    return tables


def told(tables: dict[str, Any]) -> list[str]:
    return [f"{one.path} {one.what}" for one in mistakes([Layer("mine", tables, Path("mine.toml"))])]


@pytest.mark.parametrize("name", loader.names())
def test_every_built_in_profile_is_right(name: str) -> None:
    assert mistakes(loader.layers(name)) == []


@pytest.mark.parametrize(
    "method", [None, NFWUPD, FILE, FLASH, XMODEM, URL], ids=lambda m: (m or {}).get("kind")
)
def test_the_profiles_that_the_mistakes_are_made_in_are_right(method: dict[str, Any] | None) -> None:
    assert told(profile(method)) == []


def query(**changes: Any) -> list[dict[str, Any]]:
    return [HEAD["identify"][0] | changes]


def step(**changes: Any) -> list[dict[str, Any]]:
    return [{"send": "AT+CFUN=0", "why": "w", "source": "s"} | changes]


MISTAKES: list[tuple[dict[str, Any], str]] = [
    # the shape
    (profile(uart__speed=1), "$.uart Object contains unknown field `speed`"),
    (profile(None, **{"uart__a`b`": 1}), "$.uart Object contains unknown field `a`b``"),
    (profile(uart__bauds="9600"), "$.uart.bauds Expected `array`, got `str`"),
    (profile(uart=None), "$ Object missing required field `uart`"),
    (profile(hardware="maybe"), "$.hardware Invalid enum value 'maybe'"),
    (profile(NFWUPD, method__kind="magic"), "$.method.kind Invalid value 'magic'"),
    (profile(XMODEM, method__block=512), "$.method.block Invalid enum value 512"),
    (
        profile(grammar__urcs=[{"prefix": "A", "exact": "B"}]),
        "$.grammar.urcs[0] a URC needs exactly one",
    ),
    (profile(grammar__urcs=[{"prefx": "+A:"}]), "$.grammar.urcs[0] Object contains unknown field `prefx`"),
    (profile(weights__write="much"), "$.weights.write Expected `float`, got `str`"),
    # names and sources
    (profile(name="Mine!"), "$.name Small letters, digits and hyphens"),
    (profile(title=" "), "$.title It is empty"),
    (profile(sources__s=""), "$.sources.s It is empty"),
    (profile(identify=query(source="t")), "$.identify[0].source Unknown source 't'"),
    (profile(NFWUPD, method__blocks__source="t"), "$.method.blocks.source Unknown source 't'"),
    # regular expressions and words
    (
        profile(recognise__model=r"\d{4294967296}"),
        "$.recognise.model '\\\\d{4294967296}' is not a regular expr",
    ),
    (profile(recognise__model="(" * 9000), "is not a regular expression"),
    (
        profile(grammar__boot={"lines": ["R", "(?i)S"]}),
        "$.grammar.boot.lines[1] b'(?:(?i)S)' is not a regular",
    ),
    (
        profile(grammar__boot={"lines": ["(?P<a>R)", "(?P<a>S)"]}),
        "$.grammar.boot.lines Together they are not a regular expression",
    ),
    (
        profile(grammar__boot={"lines": [r"\u0041"]}),
        r"$.grammar.boot.lines[0] b'(?:\\u0041)' is not a regular",
    ),
    (profile(grammar__boot={"lines": []}), "$.grammar.boot.lines Without a line no boot is ever recognised"),
    (profile(grammar__ignored_bytes=[0, 256]), "$.grammar.ignored_bytes[1] 256 is not a byte"),
    (profile(recognise__model="("), "$.recognise.model '(' is not a regular expression"),
    (profile(identify=query(pattern=".+")), "$.identify[0].pattern '.+' needs 1 group"),
    (profile(FILE, method__free__pattern=r"\d+"), "$.method.free.pattern '\\\\d+' needs 1 group"),
    (profile(FILE, method__watch__progress=["x"]), "$.method.watch.progress[0] 'x' needs 1 group"),
    (profile(FILE, method__watch__failed=[".*"]), "$.method.watch.failed[0] '.*' matches every line"),
    (profile(grammar__boot={"lines": ["RDY|"]}), "$.grammar.boot.lines[0] 'RDY|' matches every line"),
    (profile(grammar__boot={"lines": ["R"], "cause": "C"}), "$.grammar.boot.cause 'C' needs 1 group"),
    (
        profile(XMODEM, method__ready=r"\+UFWUPD: ?ONGOING"),
        "$.method.ready '\\\\+UFWUPD: ?ONGOING' is compared letter",
    ),
    (profile(FLASH, method__prompt=""), "$.method.prompt It is empty"),
    # commands
    (profile(setup=["CMEE=1"]), "$.setup[0] 'CMEE=1' is not a command"),
    (profile(setup=["AT+A\r"]), "$.setup[0] 'AT+A\\r' is not a command"),
    (profile(uart__command_line_limit=5), "is longer than the command line's 5 characters"),
    (profile(FLASH, method__erase="AT+CFLE=0"), "$.method.erase 'AT+CFLE=0' lacks the placeholder {blocks}"),
    (profile(FLASH, method__start="AT+F={sha}"), "$.method.start 'AT+F={sha}' has the placeholder {sha}"),
    (profile(URL, method__start="AT+Q={url"), "$.method.start 'AT+Q={url' has braces that do not pair"),
    (profile(URL, method__start="AT+Q={}"), "has the placeholder {}, which nothing fills in"),
    (profile(identify=query(send="AT+X={x}")), "$.identify[0].send 'AT+X={x}' has the placeholder {x}"),
    (profile(URL, method__test="AT+QFOTADL=1"), "$.method.test 'AT+QFOTADL=1' is not a harmless form"),
    (
        profile(prepare=step(ask="AT+CFUN=1", when="1")),
        "$.prepare[0].ask 'AT+CFUN=1' is not a harmless form",
    ),
    (
        profile(URL, identify=query(send="AT+QFOTADL=1")),
        "$.identify[0].send 'AT+QFOTADL=1' is a command of the up",
    ),
    (profile(prepare=step(ask="AT+CFUN?")), "$.prepare[0] `ask` and `when` go together"),
    # numbers
    (profile(uart__bauds=[-1]), "$.uart.bauds[0] -1 is too small"),
    (profile(uart__bauds=[9600, 9600]), "$.uart.bauds A rate is listed twice"),
    (profile(uart__bauds=[]), "$.uart.bauds At least one rate is needed"),
    (profile(uart__bauds=[10**9]), "$.uart.bauds[0] no module runs at 1000000000 bit/s"),
    (profile(uart__pause_after_final_s=-0.1), "$.uart.pause_after_final_s -0.1 is too small"),
    (
        profile(uart__pause_after_final_s=float("inf")),
        "$.uart.pause_after_final_s inf must be a finite number",
    ),
    (profile(NFWUPD, method__blocks__largest=10**400), "$.method.blocks.largest 1000000"),
    (
        profile(uart__pause_after_final_s=float("nan")),
        "$.uart.pause_after_final_s nan must be a finite number",
    ),
    (profile(NFWUPD, method__times__block_s=0.0), "$.method.times.block_s 0.0 is too small"),
    (profile(NFWUPD, reboot__limit_s=1e6), "$.reboot.limit_s 1e+06 seconds are more than a day"),
    (profile(NFWUPD, reboot__usual_s=61.0), "$.reboot.usual_s 61 s is more than limit_s, 60 s"),
    (
        profile(uart__raising={"command": "AT+N={baud}", "bauds": [57600], "fallback_s": 1, "source": "s"}),
        "$.uart.raising.default 115200 is not in $.uart.raising.bauds",
    ),
    # hex blocks
    (profile(NFWUPD, method__blocks__default=516), "$.method.blocks 516 is above the largest, 512"),
    (profile(NFWUPD, method__blocks__multiple=5), "$.method.blocks.default 256 is not a multiple of 5"),
    (profile(NFWUPD, method__blocks__only=[32, 64]), "$.method.blocks.default 256 is not in `only`"),
    (
        profile(NFWUPD, uart__command_line_limit=1024),
        "$.method.blocks.largest 512 bytes in hex need 1051 characters",
    ),
    (
        profile(NFWUPD, method__command="AT+NFWUPD="),
        "$.method.command 'AT+NFWUPD=' is not a command's bare name",
    ),
    (profile(NFWUPD, method__answer="+NFW:"), "$.method.answer '+NFW:' does not begin as AT+NFWUPD answers"),
    (profile(NFWUPD, method__valid=[]), "$.method.valid No response is configured"),
    (profile(NFWUPD, method__not_yet=["PACKAGE"]), "$.method.not_yet PACKAGE_OK would mean both"),
    # the other methods
    (profile(FLASH, method__piece=8192), "$.method.piece 8192 is more than an erase block, 4096"),
    (profile(FILE, method__good_outcomes=[]), "$.method.good_outcomes No response"),
    (profile(FILE, method__read_header=None), "$.method.read_header `read` needs it"),
    (profile(URL, method__schemes=[]), "$.method.schemes At least one is needed"),
    # parts that need each other
    (profile(NFWUPD, reboot=None), "$ A profile with a method needs [reboot]"),
    (profile(NFWUPD, reboot__update_causes=["X"]), "$.reboot.update_causes Without $.grammar.boot.cause"),
    (profile(recognise={}), "$.recognise It has no pattern"),
    (profile(identify=query(field="model")), "$.identify No query reads the version"),
    (profile(weights__wirte=3), "$.weights.wirte Unknown stage 'wirte'"),
    (profile(weights__write=0), "$.weights All of them are 0"),
    (profile(errors__fifty="x"), "$.errors.fifty An error's number is expected"),
    (
        profile(grammar__finals=[{"text": "X", "ok": True, "commands": ["AT+X"]}]),
        "$.grammar.finals[0].commands 'AT+X' is not a command's name",
    ),
]


@pytest.mark.parametrize(("tables", "expected"), MISTAKES, ids=[text[:60] for _, text in MISTAKES])
def test_a_mistake_is_found_at_its_place(tables: dict[str, Any], expected: str) -> None:
    assert any(expected in one for one in told(tables)), told(tables)


def test_all_mistakes_are_told_at_once() -> None:
    tables = profile(
        NFWUPD, uart__bauds=[0], uart__speed=1, method__blocks__default=516, identify=query(source="t")
    )
    places = [one.partition(" ")[0] for one in told(tables)]
    assert places == ["$.uart", "$.identify[0].source", "$.uart.bauds[0]", "$.method.blocks"]


def test_a_mistake_has_the_file_the_text_and_the_place() -> None:
    (mistake,) = mistakes([Layer("mine", profile(uart__bauds=[0]), Path("far/mine.toml"))])
    assert str(mistake) == "far/mine.toml: 0 is too small: it must be above 0 - at `$.uart.bauds[0]`"


def test_a_file_that_is_found_by_name_is_called_as_its_dialect() -> None:
    (mistake,) = mistakes([Layer("other", profile(), Path("boards/dialects/other.toml"))])
    assert str(mistake).endswith("the name must be 'other' - at `$.name`")


def refusal(tables: dict[str, Any]) -> str:
    try:
        msgspec.convert(tables, Dialect)
    except msgspec.ValidationError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(("tables", "_"), MISTAKES, ids=[text[:60] for _, text in MISTAKES])
def test_the_shape_is_judged_as_msgspec_does(tables: dict[str, Any], _: str) -> None:
    found, refused = [what for _, what in shape_mistakes(tables, Dialect)], refusal(tables)
    assert bool(found) == bool(refused)
    assert not refused or any(what in refused for what in found)


def structs(kind: Any) -> set[type[msgspec.Struct]]:
    """Every struct that an annotation leads to."""
    inner = {struct for one in get_args(kind) for struct in structs(one)}
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        inner |= {kind, *(one for field in msgspec.structs.fields(kind) for one in structs(field.type))}
    return inner


@pytest.mark.parametrize("spec", method_specs(), ids=lambda spec: spec.method_name())
def test_every_text_of_a_method_has_a_role(spec: type[msgspec.Struct]) -> None:
    for part in structs(spec):
        for field in msgspec.structs.fields(part):
            if field.name not in ("source", "error_tables") and "str" in str(field.type):
                is_text = not str(field.type).startswith(("dict", "typing.Literal", "tuple[typing.Literal"))
                assert not is_text or field.name in roles(part), f"{part.__name__}.{field.name}"


# -- where values come from ---------------------------------------------------------------------------


def by_path(name: str) -> dict[str, Any]:
    return {one.path: one for one in explain(name)}


def test_each_value_is_told_with_the_file_that_gave_it() -> None:
    told = by_path("quectel-hi2115")
    assert told["$.method.flow"].origin == "quectel-hi2115.toml"
    assert told["$.method.blocks.largest"].origin == "hi2115.toml"
    assert told["$.method.command"].origin == "hi21xx.toml"
    assert told["$.uart.pause_after_final_s"].origin == "hi21xx.toml"
    assert told["$.uart.wake_attempts"].origin == DEFAULT


def test_merged_arrays_are_told_per_entry_with_the_place_in_the_file() -> None:
    told = by_path("quectel-hi2115")
    ours, theirs = told["$.identify[0]"], told["$.identify[3]"]
    assert (ours.origin, ours.place) == ("quectel-hi2115.toml", "$.identify[0]")
    assert (theirs.origin, theirs.place) == ("hi21xx.toml", "$.identify[0]")
    assert told["$.uart.bauds"].value == [9600, 115200, 57600, 4800, 2400, 230400, 460800, 921600]


@pytest.mark.parametrize("name", loader.names())
def test_the_origins_are_the_whole_profile_and_nothing_else(name: str) -> None:
    chain = loader.layers(name)
    files = {layer.label: layer.tables for layer in chain}
    for one in origins(merge(chain)):
        place: Any = files[one.origin]
        for key in msgspec.json.decode(_keys(one.place)):
            place = place[key]
        assert place == one.value
        assert place_of(chain, one.path) == (one.origin, one.place)


def _keys(path: str) -> bytes:
    """A path's keys; an array's index belongs to the last of them."""
    keys: list[str | int] = []
    for part in path.removeprefix("$.").split("."):
        name, _, index = part.partition("[")
        keys += [name, int(index[:-1])] if index else [name]
    return msgspec.json.encode(keys)


@pytest.mark.parametrize("name", loader.names())
def test_what_is_shown_is_toml_that_means_the_same_profile(name: str) -> None:
    dialect = loader.load(name)
    text = as_toml(name)
    assert msgspec.convert(tomllib.loads(text), Dialect) == dialect
    if dialect.method is not None:
        assert f": {dialect.sources[dialect.method.source]}" in text


def test_any_text_in_a_profile_is_shown_as_toml(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        'extends = "hi2115"\nname = "mine"\ntitle = "a\\nb\\u0000\\u007f"\n'
        '[sources]\n"\U0001f600 \\u007f" = "first line\\nsecond"\n'
        '[reboot]\nsource = "\U0001f600 \\u007f"\n',
        encoding="utf-8",
    )
    dialect = loader.load(str(file))
    text = as_toml(str(file))
    assert msgspec.convert(tomllib.loads(text), Dialect) == dialect
    assert text.startswith("# a b\n")


# -- the commands that a profile sends ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "line", "fits"),
    [
        ("AT+CGMR", "AT+CGMR", True),
        ("AT+CGMR", "AT+CGMR=?", False),
        ("AT+N={baud},{fallback_s},0", "AT+N=115200,10,0", True),
        ("AT+N={baud},{fallback_s},0", "AT+N=115200,0", False),
        ('AT+QFUPL="a.bin",{size}', 'AT+QFUPL="a.bin",4096', True),
        ("AT+CFLE=0,{blocks}", "AT+CFLE=0,", False),
    ],
)
def test_a_command_is_known_again_with_its_placeholders_filled(
    template: str, line: str, *, fits: bool
) -> None:
    assert Send("$", template, None).matches(line) is fits


def test_the_commands_of_hex_blocks_are_told_by_their_codes() -> None:
    sent = [send.text for send in sends(loader.load("quectel-hi2115"))]
    for line in ("AT+NFWUPD=?", "AT+NFWUPD=0", "AT+NFWUPD=2", "AT+NFWUPD=5", "ATI", "AT+CFUN=0"):
        assert line in sent
    assert any(send.matches("AT+NFWUPD=1,0,4,01020304,04") for send in sends(loader.load("hi2110")))
