"""Counterparts for any program: sim module, sim server, sim package."""

import shlex
import threading
from pathlib import Path
from typing import Annotated
from urllib.parse import parse_qsl, urlencode

import msgspec
import typer

from atota.cli.call import Call
from atota.cli.completion import complete_faults, complete_platform_faults, complete_simulated
from atota.cli.view.output import plural, styled
from atota.clock import SystemClock, clock_at
from atota.errors import ConfigError, UsageError
from atota.otaserver.model import load
from atota.otaserver.serve import RunningServer
from atota.otaserver.service import LocalPlatform
from atota.sim.chips.catalogue import CHIPS, find_chip
from atota.sim.chips.package import build_chip_package
from atota.sim.hands import BenchEvent, Mistakes, PtyBench
from atota.sim.package import build_package
from atota.sim.personas.catalogue import PERSONAS
from atota.sim.serve import serve_pty, serve_tcp
from atota.sim.url import parse_sim_url
from atota.values import Digests, mask

_DEMO_KEY = "a2V5IG9mIHRoZSBsb2NhbCBwbGF0Zm9ybSwgbm8gc2VjcmV0"
"""The base64 of "key of the local platform, no secret": for folders that --init makes."""

_PRODUCT, _DEV_ID, _NAME = "1000", "6523", "bench-1"
"""The product, and the device's names in the generic API and in the others."""

_TASKS = f"""# The local OTA platform of atota: who may ask, and what each device should become.
# One key for the product, the device and the account, so that a signature of any level is taken.
[auth]
product_id = "{_PRODUCT}"
access_key = "{_DEMO_KEY}"
user_id = "12321"
user_key = "{_DEMO_KEY}"

[[device]]
dev_id = "{_DEV_ID}"            # its name in the generic API
device_name = "{_NAME}"    # its name in STUDIO and FUSE
key = "{_DEMO_KEY}"
imei = "490154203237518"

[[task]]
dev_id = "{_DEV_ID}"
manuf = "014"            # Quectel
model = "01401"          # BC28
package = "{{package}}"
target = "{{target}}"
"""
_FAULT_HELP = "A fault; may be given again. `atota sim faults` explains them all."
_Fault = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME[:ARG]", help=_FAULT_HELP, autocompletion=complete_faults),
]
_PlatformFault = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME[:ARG]", help=_FAULT_HELP, autocompletion=complete_platform_faults),
]
_MODELS = ", ".join((*(persona.name for persona in PERSONAS), *CHIPS))

_Share = Annotated[float, typer.Option(min=0, max=1, metavar="SHARE", help="Units handled so, 0 to 1.")]


def serve_module(
    call: Call,
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help=f"One of: {_MODELS}.", autocompletion=complete_simulated)
    ],
    tcp: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Serve a TCP port instead of a pty.")
    ] = None,
    rfc2217: Annotated[
        bool, typer.Option("--rfc2217", help="The TCP client sets rate, parity and lines by RFC 2217.")
    ] = False,
    fault: _Fault = None,
    options: Annotated[
        str | None,
        typer.Option(
            metavar="KEY=VALUE&…",
            help="The options of a sim:// URL, such as version=TEXT; `atota sim faults` explains them all.",
        ),
    ] = None,
    speed: Annotated[float, typer.Option(min=0.1, max=1000, help="The speed of its time.")] = 1.0,
) -> None:
    """Serve one simulated module until the stop token is set."""
    query = urlencode(
        [*parse_qsl(options or "", keep_blank_values=True), *(("fault", f) for f in fault or [])]
    )
    url = parse_sim_url(f"sim://{model}?{query}")
    if rfc2217 and tcp is None:
        raise UsageError("--rfc2217 is for a TCP port", hint="Add --tcp HOST:PORT; port 0 takes a free one.")
    clock = clock_at(speed)

    def on_change(change: str) -> None:
        call.out.event("change", f"  {change}", module=url.model, change=change)

    def on_ready(port: str) -> None:
        page = styled("[bold]{}[/] on [bold]{}[/]  (Ctrl-C ends it)", url.model, port)
        call.out.event("ready", page, port=port)
        if not call.out.json:
            call.out.say(f"try: atota identify -p {port}")

    call.out.begin(model=url.model)
    module = url.device(on_change)
    if tcp is None:
        serve_pty(module, clock, on_ready, call.stop)
    else:
        host, port = tcp_address(tcp)
        serve_tcp(module, host, port, clock=clock, on_ready=on_ready, stop=call.stop, rfc2217=rfc2217)
    call.done()


def serve_bench(
    call: Call,
    links: Annotated[Path, typer.Argument(metavar="DIR", help="The folder for the links by USB path.")],
    lanes: Annotated[int, typer.Option(min=1, max=64, help="Lanes of the bench.")] = 4,
    model: Annotated[str, typer.Option(help="The model of all modules.")] = "BC28",
    fault: _Fault = None,
    speed: Annotated[float, typer.Option(min=0.1, max=1000, help="The speed of its time.")] = 15.0,
    handling: Annotated[
        float, typer.Option(min=0, max=600, metavar="SECONDS", help="The operator's time for a unit.")
    ] = 10.0,
    pulled: _Share = 0.0,
    flapping: _Share = 0.0,
    cloned: _Share = 0.0,
    seed: Annotated[int, typer.Option(help="Decides about the operator's mistakes.")] = 0,
) -> None:
    """Serve a bench whose modules are plugged in and taken out, until the stop token is set."""
    url = parse_sim_url(f"sim://{model}")

    def tell(event: BenchEvent) -> None:
        text = f"  lane {event.lane}: {event.what} {mask(event.imei)}, {event.version} {event.mistake}"
        call.out.event("unit", text.rstrip(), **msgspec.structs.asdict(event))

    call.out.begin(links=str(links), lanes=lanes)
    call.out.event("ready", f"{lanes} lanes, links in {links}  (Ctrl-C ends it)", links=str(links))
    PtyBench(
        links,
        url.model,
        options=url.options,
        faults=tuple(fault or ()),
        clock=clock_at(speed),
        handling_s=handling / 2,
        mistakes=Mistakes(pulled=pulled, flapping=flapping, cloned=cloned),
        seed=seed,
        tell=tell,
        stop=call.stop,
    ).run(lanes)
    call.done()


def tcp_address(text: str) -> tuple[str, int]:
    """Parse ``HOST:PORT``, or a port alone on this machine.

    Raises:
        UsageError: it is neither.
    """
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise UsageError(f"{text!r} is not HOST:PORT")
    return host.strip("[]") or "127.0.0.1", int(port)


def serve_platform(
    call: Call,
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Holds tasks.toml and the packages that it names.")
    ],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0: any.")] = 8080,
    fault: _PlatformFault = None,
    init: Annotated[
        bool, typer.Option("--init", help="Make FOLDER with a task and a package for a simulated BC28.")
    ] = False,
) -> None:
    """Serve the local platform until the stop token is set."""
    if init:
        call.out.say(make_folder(folder))
    platform = LocalPlatform(load(folder), faults="+".join(fault or []))
    call.out.begin(folder=str(folder))

    def log(line: str) -> None:
        call.out.event("request", f"  {line}", line=line)

    with RunningServer(platform, host, port, log=log) as server:
        tasks = plural(len(platform.tasks), "task")
        page = styled("OTA platform on [bold]{}[/], {}  (Ctrl-C ends it)", server.url, tasks)
        call.out.event("ready", page, url=server.url)
        if init and not call.out.json:
            call.out.say("one of these updates the module on PORT:")
            for command in update_commands(server.url, folder):
                call.out.say(f"  {command}")
        idle = threading.Event()
        while not call.stop.is_set:
            idle.wait(SystemClock.slice_s)
    call.done()


def update_commands(url: str, folder: Path) -> tuple[str, ...]:
    """Return a command for each API that updates a module with the task that ``--init`` makes."""
    by_name, by_id = f"--device-name {_NAME}", f"--dev-id {_DEV_ID}"
    rest = f"--product-id {_PRODUCT} --access-key-file {shlex.quote(str(folder / 'access-key'))}"
    return tuple(
        f"atota update -p PORT --api {api} --server {url} {name} {rest}"
        for api, name in (("fuse", by_name), ("studio", by_name), ("generic", by_id))
    )


def make_folder(folder: Path) -> str:
    """Make a folder to begin with: a task for a simulated BC28, its package, the key; return what was made.

    Raises:
        ConfigError: there is a task file already, or the folder cannot be filled.
    """
    base, target, name = "BC28JAR01A03", "BC28JAR01A05", "BC28JAR01A03_TO_BC28JAR01A05.bin"
    tasks = folder / "tasks.toml"
    if tasks.exists():
        raise ConfigError(f"{tasks} is there already", hint="Leave --init out, or name another folder.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(build_package(model="BC28", base=base, target=target, size=20_000))
        tasks.write_text(_TASKS.format(package=name, target=target), encoding="utf-8")
        (folder / "access-key").write_text(_DEMO_KEY + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{folder} cannot be filled: {error.strerror}") from error
    return f"made {tasks}, {name} and access-key"


def _package(model: str, base: str | None, target: str, protocol: str | None, size: int) -> bytes:
    """Make the package of a module or a chip."""
    chip = find_chip(model)
    if chip is None:
        if base is None or protocol is not None:
            raise UsageError(
                f"a package for {model}: --from is needed and --protocol is for chips",
                hint="Name the version that the package is made for.",
            )
        return build_package(model=model, base=base, target=target, size=size)
    protocols = CHIPS[chip].protocols
    if base is not None or (protocol or protocols[0]) not in protocols:
        raise UsageError(
            f"a package for {chip}: --from is for modules, and its protocols are {', '.join(protocols)}",
            hint="Leave the option out.",
        )
    return build_chip_package(chip, target, protocol=protocol or "", size=size)


def write_package(
    call: Call,
    output: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write.")],
    model: Annotated[
        str,
        typer.Option(help="The simulated model or chip that it is for.", autocompletion=complete_simulated),
    ],
    target: Annotated[str, typer.Option("--to", metavar="VERSION", help="The version it brings.")],
    base: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="VERSION", help="The version it is made for; a module's package has one."
        ),
    ] = None,
    protocol: Annotated[
        str | None, typer.Option(help="Of the chip's bootloader: smp, nordic-secure or nordic-legacy.")
    ] = None,
    size: Annotated[int, typer.Option(min=0, max=4_000_000, help="Bytes at least.")] = 20_000,
) -> None:
    """Write a package to a file."""
    data = _package(model, base, target, protocol, size)
    call.out.warn_if_replaced(output)
    try:
        output.write_bytes(data)
    except OSError as error:
        raise ConfigError(f"{output} cannot be written: {error.strerror}") from error
    digests = Digests.of(data)
    fields = {"path": str(output), "size": digests.size, "md5": digests.md5, "sha256": digests.sha256}
    call.done(f"{output}  {digests.size} bytes  md5 {digests.md5}", package=fields)
