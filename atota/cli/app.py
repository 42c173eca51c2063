"""The commands, in one table. Importing it loads none: a command loads its module when it is run."""

import typer

from atota._version import __version__
from atota.cli.command import Command, Program, declare
from atota.cli.line import LINE_GROUPS
from atota.settings.groups import Group

_PROMISE = "Take a cellular module from the firmware it has to the firmware that the OTA platform wants."
_KEY = "ATOTA_ACCESS_KEY=…"
_DEVICE = "-p /dev/ttyUSB0 --product-id 123 --dev-id 6523"
_ASKING = (Group.LINK, Group.TYPE, Group.PLATFORM)

COMMANDS = (
    Command(
        "ports",
        "look:list_serial_ports",
        "List serial ports: USB ids, stable names, and the programs that hold them.",
        example="atota ports",
    ),
    Command(
        "identify",
        "look:identify",
        "Find the baud rate and the dialect, and read who the module is. Changes nothing.",
        example="atota identify -p /dev/ttyUSB0",
        groups=(Group.LINK, Group.TYPE, Group.WAIT),
    ),
    Command(
        "at",
        "talk:at",
        "Send AT commands and print the responses; the first refusal ends it (exit 5).",
        example="atota at -p /dev/ttyUSB0 AT+CSQ 'AT+CGSN=1'",
        groups=(Group.LINK,),
    ),
    Command(
        "term",
        "term:term",
        "Talk to the module line by line: each line is a command, unasked lines have another colour.",
        example="atota term -p /dev/ttyUSB0 --transcript talk.txt",
        groups=(Group.LINK,),
    ),
    Command(
        "wait",
        "talk:wait",
        "Wait until the module answers, or runs a version (exit 11: no answer; 12: another version).",
        example="atota wait -p /dev/ttyUSB0 --timeout 600",
        groups=(Group.LINK,),
    ),
    Command(
        "reset",
        "lines:reset",
        "Reset the module by the control lines that its board file names.",
        example="atota reset -p /dev/ttyUSB0 --board bench-3.toml",
        groups=(Group.LINK, Group.JOURNAL),
    ),
    Command(
        "power",
        "lines:power",
        "Switch the module's supply on or off by the control lines that its board file names.",
        example="atota power on -p /dev/ttyUSB0 --board bench-3.toml",
        groups=(Group.LINK, Group.JOURNAL),
    ),
    Command(
        "modules",
        "look:list_modules",
        "Show every row of the platform's module table: chip, dialect, method and the evidence for it.",
        example="atota modules --method nfwupd",
    ),
    Command(
        "check",
        "platform:check",
        "Ask the platform for a task, and show it. Not harmless: the platform stores the version it is sent.",
        example=f"{_KEY} atota check {_DEVICE} --dry-run",
        groups=_ASKING,
    ),
    Command(
        "download",
        "platform:download",
        "Ask for a task, then fetch and verify its package: into the cache that all ports share, or FILE.",
        example=f"{_KEY} atota download {_DEVICE} -o new.bin",
        groups=(*_ASKING, Group.CACHE),
    ),
    Command(
        "flash",
        "jobs:flash",
        "Stream a local package into the module, start it, confirm the new version. No platform is asked.",
        example="atota flash package.bin --md5 MD5 --target BC28JAR01A05 -p /dev/ttyUSB0",
        groups=(Group.LINK, Group.TYPE, Group.PACKAGE, Group.UPDATE, Group.JOURNAL),
    ),
    Command(
        "update",
        "jobs:update",
        "Do the whole job: ask, download, verify, write, start, survive the reboot, confirm, report.",
        example=f"{_KEY} atota update {_DEVICE}",
        groups=(*_ASKING, Group.UPDATE, Group.CACHE, Group.JOURNAL),
    ),
    Command(
        "report",
        "report:report",
        "Show the reports that the platform has not received; with --pending, send them now.",
        example=f"{_KEY} atota report --pending",
        groups=(Group.TYPE, Group.PLATFORM, Group.JOURNAL),
    ),
    Command(
        "doctor",
        "doctor:doctor",
        "Explain why a link is bad, and what to do about it: port, line, module, platform. Changes nothing."
        "\n\nWithout a port every serial port is examined, and none is opened.",
        example="atota doctor -p /dev/ttyUSB0 --size 200k",
        groups=(*_ASKING, Group.WAIT),
    ),
    Command(
        "bugreport",
        "bugreport:bugreport",
        "Pack one job into a zip to give away: record, transcript, doctor, versions; identities masked.",
        example="atota bugreport 3f9c2a71",
        groups=(Group.JOURNAL,),
    ),
    Command(
        "demo",
        "demo:demo",
        "Run the whole chain on simulated modules and a local platform: no hardware, no network.",
        example="atota demo",
    ),
    Command(
        "config",
        "config:config",
        "Show where files lie, and every variable with its value and origin; or begin a configuration file.",
        example="atota config",
        groups=(Group.LINK, Group.TYPE, Group.PLATFORM, Group.CACHE, Group.JOURNAL),
    ),
    Command(
        "replay",
        "replay:replay",
        "Play a transcript as a module on a pty or a TCP port; show where a program departs from it.",
        example="atota replay bc28.transcript",
    ),
)
SIM = (
    Command(
        "module",
        "sim:serve_module",
        "Serve a simulated module on a pty or a TCP port, until Ctrl-C.",
        example="atota sim module BC28",
    ),
    Command(
        "server",
        "sim:serve_platform",
        "Serve the OTA platform from a folder, until Ctrl-C: for tests, and for lines without internet.",
        example="atota sim server ./platform --port 8080",
    ),
    Command(
        "bench",
        "sim:serve_bench",
        "Serve a whole bench on ptys: modules that an operator plugs in and takes out, until Ctrl-C.",
        example="atota sim bench ./by-path --lanes 4 --pulled 0.1",
    ),
    Command(
        "faults",
        "faults:explain_faults",
        "Explain every fault and option of simulated modules, and every fault of the local platform.",
        example="atota sim faults",
    ),
    Command(
        "package",
        "sim:write_package",
        "Write a package that simulated modules accept.",
        example="atota sim package new.bin --model BC28 --from BC28JAR01A03 --to BC28JAR01A05",
    ),
)
DIALECTS = (
    Command(
        "list",
        "dialects:list_dialects",
        "List the built-in dialects and your own: their modules, and how they update.",
        example="atota dialects list",
    ),
    Command(
        "show",
        "dialects:show_dialect",
        "Show a whole dialect as TOML, with the file that each value comes from and the sources written out.",
        example="atota dialects show quectel-hi2115",
    ),
    Command(
        "check",
        "dialects:check_dialects",
        "Validate profiles, then play them against simulated modules and literal conversations."
        "\n\nExit 3 if one is wrong. Nothing is sent to any port.",
        example="atota dialects check quectel-hi2115",
    ),
)
RECORDS = (
    Command(
        "list",
        "records:list_records",
        "List the outcomes of this machine's jobs, the newest first.",
        example="atota records list --outcome updated --since 2026-07-01",
        groups=(Group.JOURNAL,),
    ),
    Command(
        "show",
        "records:show_record",
        "Show all that proves what happened to one module; its IMEI is whole.",
        example="atota records show 3f9c2a71",
        groups=(Group.JOURNAL,),
    ),
    Command(
        "export",
        "records:export_records",
        "Write records for other programs, the newest first, IMEIs whole.",
        example="atota records export -o records.csv",
        groups=(Group.JOURNAL,),
    ),
    Command(
        "batch",
        "batch:summarise_batch",
        "Show the sums of one batch: yields, retests, failures by their cause, times.",
        example="atota records batch B-2026-118 -o batch.html",
        groups=(Group.JOURNAL,),
    ),
)
CACHE = (
    Command(
        "list",
        "cache:list_cache",
        "List the packages that downloads have left, the newest first.",
        example="atota cache list",
        groups=(Group.CACHE,),
    ),
    Command(
        "clean",
        "cache:clean_cache",
        "Remove packages from the cache; the next job fetches its own again.",
        example="atota cache clean --older-than 30",
        groups=(Group.CACHE,),
    ),
)
STATION = (
    Command(
        "run",
        "station:run",
        "Run the lanes of a station: each unit that is put in is updated, and its verdict shown.",
        example="atota station run bench.toml",
        groups=(Group.PLATFORM, Group.UPDATE, Group.JOURNAL),
    ),
    Command(
        "check",
        "station:check",
        "Tell what is wrong with a station before its shift begins. Opens no port, changes nothing.",
        example="atota station check bench.toml",
        groups=(Group.PLATFORM, Group.JOURNAL),
    ),
    Command(
        "learn",
        "station:learn",
        "Learn which USB path is which lane: plug one in after the other. Writes them into the station file.",
        example="atota station learn bench.toml --lanes 8",
    ),
    Command(
        "demo",
        "station_demo:demo",
        "Run a simulated station of eight lanes with its page: no hardware, no network.",
        example="atota station demo",
    ),
)
PACKAGE = (
    Command(
        "show",
        "package:show_package",
        "Show base, target, size and digests of a package, as its format, its name and files beside it tell.",
        example="atota package show package.bin",
    ),
)
GROUPS = (
    ("sim", "Simulated modules and the local OTA platform, for any program.", SIM),
    ("dialects", "The dialects of modules: built-in profiles and your own.", DIALECTS),
    ("package", "Packages as files.", PACKAGE),
    ("cache", "The packages that downloads have left on this machine.", CACHE),
    ("station", "A production station: many lanes, one page.", STATION),
    ("records", "The journal: the outcomes of this machine's jobs.", RECORDS),
    *LINE_GROUPS,
)
"""A group within another comes after it, and has both names."""

app = typer.Typer(
    name="atota",
    cls=Program,
    help=_PROMISE,
    epilog="Start with `atota demo`: it needs no hardware and no network.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in COMMANDS:
    declare(app, command)
_made = {"": app}
for name, about, commands in GROUPS:
    _made[name] = group = typer.Typer(help=about, cls=Program, no_args_is_help=True)
    for command in commands:
        declare(group, command, group=name)
    outer, _, own = name.rpartition(" ")
    _made[outer].add_typer(group, name=own)


def _version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"atota {__version__}")
        raise typer.Exit


@app.callback(help=_PROMISE)
def root(
    *,
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Hold the options of the program itself."""
