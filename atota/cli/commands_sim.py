"""Counterparts for any program: sim module, sim server, sim package, replay; and the demo."""

from pathlib import Path
from typing import Annotated

import typer

from atota.cli.command import Call, command
from atota.cli.options import SHOW


def declare(app: typer.Typer, sim: typer.Typer) -> None:
    """Add the commands to the application."""
    command(app, "demo", SHOW, example="atota demo")(demo)
    command(app, "replay", SHOW, example="atota replay bc28.transcript")(replay)
    command(sim, "module", SHOW, example="atota sim module BC28", shown_as="sim module")(sim_module)
    command(sim, "server", SHOW, example="atota sim server ./platform --port 8080", shown_as="sim server")(
        sim_server
    )
    command(
        sim,
        "package",
        SHOW,
        example="atota sim package new.bin --model BC28 --from BC28JAR01A03 --to BC28JAR01A05",
        shown_as="sim package",
    )(sim_package)


def demo(
    call: Call,
    speed: Annotated[float, typer.Option(min=1, max=200, help="How much faster than real modules.")] = 15.0,
) -> int:
    """Run the whole chain on simulated modules and a local platform: no hardware, no network."""
    from atota.cli.demo import run_demo

    return run_demo(call, speed)


def replay(
    call: Call,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What --transcript has written.")],
    tcp: Annotated[
        str | None, typer.Option(metavar="[HOST:]PORT", help="Serve a TCP port instead of a pty.")
    ] = None,
    speed: Annotated[float, typer.Option(min=0.1, max=1000, help="How fast its time passes.")] = 1.0,
) -> int:
    """Play a recorded transcript back as a module on a pty or a TCP port; say where a program leaves it."""
    from atota.cli.replaying import serve_recording

    return serve_recording(call, file, tcp, speed)


def sim_module(
    call: Call,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="BC28, M5310-A, BC95-B8 or SARA-N200.")],
    tcp: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Serve a TCP port instead of a pty.")
    ] = None,
    fault: Annotated[
        list[str] | None, typer.Option(metavar="NAME[:ARG]", help="A fault; may be given again.")
    ] = None,
    options: Annotated[
        str | None,
        typer.Option(metavar="KEY=VALUE&…", help="What a sim:// URL takes: version, imei, baud, csq, echo…"),
    ] = None,
    speed: Annotated[float, typer.Option(min=0.1, max=1000, help="How fast its time passes.")] = 1.0,
) -> None:
    """Serve a simulated module on a pty or a TCP port, until Ctrl-C."""
    from atota.cli.simulating import serve_module

    serve_module(call, model, tcp, fault or [], options, speed)
    call.done()


def sim_server(
    call: Call,
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Holds tasks.toml and the packages that it names.")
    ],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0: any.")] = 8080,
    fault: Annotated[
        list[str] | None, typer.Option(metavar="NAME[:ARG]", help="A fault; may be given again.")
    ] = None,
    init: Annotated[
        bool, typer.Option("--init", help="Make FOLDER with a task and a package for a simulated BC28.")
    ] = False,
) -> None:
    """Serve the OTA platform from a folder, until Ctrl-C: for tests, and for lines without internet."""
    from atota.cli.simulating import serve_platform

    serve_platform(call, folder, host, port, fault or [], init=init)
    call.done()


def sim_package(
    call: Call,
    output: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it.")],
    model: Annotated[str, typer.Option(help="The simulated model that it is for.")],
    base: Annotated[str, typer.Option("--from", metavar="VERSION", help="The version it is made for.")],
    target: Annotated[str, typer.Option("--to", metavar="VERSION", help="The version it brings.")],
    size: Annotated[int, typer.Option(min=0, max=4_000_000, help="Bytes at least.")] = 20_000,
) -> None:
    """Write a package that simulated modules accept."""
    from atota.errors import ConfigError
    from atota.sim.package import build_package
    from atota.values import Digests

    data = build_package(model=model, base=base, target=target, size=size)
    try:
        output.write_bytes(data)
    except OSError as error:
        raise ConfigError(f"{output} cannot be written: {error.strerror}") from error
    digests = Digests.of(data)
    call.out.begin()
    if not call.out.json:
        call.out.show(f"{output}  {digests.size} bytes  md5 {digests.md5}")
    call.done(
        package={"path": str(output), "size": digests.size, "md5": digests.md5, "sha256": digests.sha256}
    )
