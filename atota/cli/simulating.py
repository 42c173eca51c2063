"""Serves simulated modules and the local platform from the command line."""

import threading
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

from atota.cli.call import Call
from atota.cli.output import styled
from atota.clock import Clock, ScaledClock, SystemClock
from atota.errors import ConfigError, UsageError

_DEMO_KEY = "a2V5IG9mIHRoZSBsb2NhbCBwbGF0Zm9ybSwgbm8gc2VjcmV0"
"""The base64 of "key of the local platform, no secret": for folders that --init makes."""

_TASKS = f"""# The local OTA platform of atota: who may ask, and what each device should become.
[auth]
product_id = "1000"
access_key = "{_DEMO_KEY}"

[[device]]
dev_id = "6523"
name = "bench-1"
imei = "490154203237518"

[[task]]
dev_id = "6523"
manuf = "014"            # Quectel
model = "01401"          # BC28
package = "{{package}}"
target = "{{target}}"
"""


def serve_module(
    call: Call, model: str, tcp: str | None, faults: list[str], options: str | None, speed: float
) -> None:
    """Serve one simulated module until the stop token is set."""
    from atota.sim.link import make_module, parse_sim_url
    from atota.sim.serve import serve_pty, serve_tcp

    query = urlencode([*parse_qsl(options or "", keep_blank_values=True), *(("fault", f) for f in faults)])
    url = parse_sim_url(f"sim://{model}?{query}")
    clock = clock_at(speed)

    def changed(what: str) -> None:
        call.out.event("change", module=url.model, change=what)
        if not call.out.json:
            call.out.show(f"  {what}")

    def ready(port: str) -> None:
        call.out.event("ready", port=port)
        if not call.out.json:
            call.out.show(styled("[bold]{}[/] on [bold]{}[/]  (Ctrl-C ends it)", url.model, port))
            call.out.say(f"try: atota identify -p {port}")

    call.out.begin(model=url.model)
    module = make_module(url.model, url.options, faults=url.faults, on_change=changed)
    if tcp is None:
        serve_pty(module, clock, ready, call.stop)
        return
    host, port = tcp_address(tcp)
    serve_tcp(module, host, port, clock=clock, on_ready=ready, stop=call.stop)


def clock_at(speed: float) -> Clock:
    """A clock that runs so many times as fast as the machine's."""
    return SystemClock() if speed == 1 else ScaledClock(speed)


def tcp_address(text: str) -> tuple[str, int]:
    """The address and port of ``HOST:PORT``, or of a port alone on this machine.

    Raises:
        UsageError: it is neither.
    """
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise UsageError(f"{text!r} is not HOST:PORT")
    return host.strip("[]") or "127.0.0.1", int(port)


def serve_platform(call: Call, folder: Path, host: str, port: int, faults: list[str], *, init: bool) -> None:
    """Serve the local platform until the stop token is set."""
    from atota.otaserver.model import load
    from atota.otaserver.serve import RunningServer
    from atota.otaserver.service import LocalPlatform

    if init:
        _make_folder(call, folder)
    platform = LocalPlatform(load(folder), faults="+".join(faults))
    call.out.begin(folder=str(folder))

    def log(line: str) -> None:
        call.out.event("request", line=line)
        if not call.out.json:
            call.out.show(f"  {line}")

    with RunningServer(platform, host, port, log=log) as server:
        call.out.event("ready", url=server.url)
        if not call.out.json:
            tasks = len(platform.tasks)
            about = "OTA platform on [bold]{}[/], {} tasks  (Ctrl-C ends it)"
            call.out.show(styled(about, server.url, tasks))
        idle = threading.Event()
        while not call.stop.is_set:
            idle.wait(SystemClock.slice_s)


def _make_folder(call: Call, folder: Path) -> None:
    """A folder to begin with: a task for a simulated BC28, its package, and the key to ask with."""
    from atota.sim.package import build_package

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
    call.out.say(f"made {tasks}, {name} and access-key")
