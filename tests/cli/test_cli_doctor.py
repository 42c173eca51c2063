"""`atota doctor`: its page, its JSON, its exit codes, on good and on bad ports."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from atota.cli.commands import doctor
from atota.clock import StopToken, clock_at
from atota.sim.link import make_module, parse_sim_url
from atota.sim.serve import serve_pty
from tests.cli.running import KEY, Bench, Cli, Ran

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc and a pty")
HOLD = """
import fcntl, os, sys
fd = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY)
fcntl.flock(fd, fcntl.LOCK_EX)
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def terminal() -> Iterator[str]:
    """A port with nobody at the other end."""
    import tty  # not on every system

    master, slave = os.openpty()
    tty.setraw(slave)
    yield os.ttyname(slave)
    os.close(slave)
    os.close(master)


ECHO = """
import os, tty
master, slave = os.openpty()
tty.setraw(slave)
print(os.ttyname(slave), flush=True)
while True:
    os.write(master, os.read(master, 1000))
"""


@pytest.fixture
def served() -> Iterator[str]:
    """A simulated module on a pty."""
    stop, ready, ports = StopToken(), threading.Event(), list[str]()

    def on_ready(port: str) -> None:
        ports.append(port)
        ready.set()

    url = parse_sim_url("sim://BC28")
    module = make_module(url.model, url.options, faults="")
    thread = threading.Thread(target=serve_pty, args=(module, clock_at(20), on_ready, stop))
    thread.start()
    assert ready.wait(20)
    yield ports[0]
    stop.set()
    thread.join(20)


def states(ran: Ran) -> dict[str, str]:
    return {f"{one['group']}/{one['check']}": one["state"] for one in ran.result["findings"]}


def finding(ran: Ran, name: str) -> dict[str, Any]:
    (found,) = (one for one in ran.result["findings"] if f"{one['group']}/{one['check']}" == name)
    assert isinstance(found, dict)
    return found


def judge(ran: Ran, code: int, outcome: str) -> None:
    """Check what holds for every run with --json."""
    result = ran.result
    assert (ran.code, result["exit_code"], result["outcome"]) == (code, code, outcome), ran.err
    assert result["ok"] is (code == 0)
    assert ("error" in result) is (code != 0)
    for one in result["findings"]:
        assert set(one) == {"group", "check", "state", "says", "next", "port"}
        assert one["state"] in ("ok", "warning", "bad", "unknown")
        assert one["says"]
        assert one["next"] or one["state"] not in ("warning", "bad")
    assert KEY not in ran.out + ran.err


def test_a_healthy_module_ends_well(cli: Cli) -> None:
    ran = cli("doctor", "-p", "sim://BC28", "--json")
    judge(ran, 0, "done")
    found = states(ran)
    assert found.pop("platform/platform") == "unknown"
    assert set(found.values()) == {"ok"}
    assert set(found) >= {"port/opens", "line/rates", "line/round trip", "line/errors", "module/supply"}
    assert {"time/at 9600", "time/at 921600"} <= set(found)


def test_the_page_of_a_healthy_module(cli: Cli) -> None:
    ran = cli("doctor", "-p", "sim://BC28", "--size", "40k", "--exchanges", "10")
    assert ran.code == 0
    lines = [line.rstrip() for line in ran.out.splitlines()]
    headings = [line for line in lines if line and not line.startswith(" ")]
    assert headings == [
        "port  sim://BC28",
        "line",
        "module",
        "time",
        "platform",
        "nothing is wrong, 1 not known",
    ]
    assert "  ok       errors      none: 10 of 10 queries were answered well" in lines
    assert "  ok       identity    Quectel BC28, version BC28JAR01A03" in lines
    assert "for 40960 bytes" in ran.out
    assert "30 s reboot (an update raises the rate to this if the line carries it)" in ran.out, (
        "a page in a pipe is not folded"
    )
    assert "trying the other rates" in ran.err


def test_the_page_is_folded_into_the_width_of_a_terminal(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atota.cli.view.output._UNCUT", 100)
    ran = cli("doctor", "-p", "sim://BC28", "--size", "40k", "--exchanges", "10")
    assert "for 40960 bytes" in ran.out
    assert all(len(line.rstrip()) <= 100 for line in ran.out.splitlines())


def test_a_mute_module_is_bad_and_the_rest_is_not_looked_at(cli: Cli) -> None:
    ran = cli("doctor", "-p", "sim://BC28?fault=mute", "--json")
    judge(ran, 5, "no-answer")
    assert finding(ran, "line/answer")["says"].count("silence at 9600, 115200") == 1
    assert states(ran)["module/identity"] == "unknown"
    page = cli("doctor", "-p", "sim://BC28?fault=mute")
    assert page.code == 5
    assert "  bad      answer    no readable response" in page.out
    assert "next: Check that the module has power" in page.out
    assert page.out.rstrip().endswith("1 thing to mend, 5 not known")
    assert "(no-answer, exit 5)" in page.err


@linux
def test_a_mute_real_port_is_bad(cli: Cli, terminal: str) -> None:
    ran = cli("doctor", "-p", terminal, "--baud", "115200", "--json")
    judge(ran, 5, "no-answer")
    assert states(ran)["port/opens"] == "ok"
    assert finding(ran, "line/answer")["says"].endswith("silence at 115200 baud")


@linux
def test_a_port_that_another_program_has_is_left_alone(cli: Cli, terminal: str) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, terminal], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"ready\n"
        ran = cli("doctor", "-p", terminal, "--json")
    finally:
        holder.communicate()
    judge(ran, 4, "port")
    assert f"(pid {holder.pid})" in finding(ran, "port/holders")["says"]
    assert "port/opens" not in states(ran)
    assert finding(ran, "line/answer")["says"] == "not looked at: see holders above"


@linux
def test_a_forbidden_port_is_bad_and_says_how_to_be_allowed(
    cli: Cli, terminal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atota.doctor.port.os.access", lambda *_: False)
    ran = cli("doctor", "-p", terminal, "--json")
    judge(ran, 4, "port")
    assert "you may not open" in finding(ran, "port/permission")["says"]
    assert states(ran)["port/adapter"] == "ok"


@pytest.mark.parametrize("port", ["/dev/no-such-port", "socket://127.0.0.1:1"])
def test_a_port_that_is_not_there_is_bad(cli: Cli, port: str) -> None:
    ran = cli("doctor", "-p", port, "--json")
    judge(ran, 4, "port")
    assert states(ran)["line/answer"] == "unknown"


@pytest.mark.parametrize(
    ("fault", "code", "name", "state"),
    [
        ("drop-byte:300+drop-byte:340+drop-byte:390", 5, "line/errors", "bad"),
        ("late-reply:c30:4", 0, "line/errors", "warning"),
        ("silent-at:c30", 5, "line/errors", "bad"),
        ("brownout-at-block:c20", 5, "module/reboots", "bad"),
        ("reboot-at-block:c20", 5, "module/reboots", "bad"),
        ("boot-garbage", 0, "module/reboots", "ok"),
        ("unplug-at:c20", 4, "port/stays", "bad"),
        ("unplug-at:c3", 4, "port/stays", "bad"),
    ],
)
def test_a_fault_of_the_line_is_found(cli: Cli, fault: str, code: int, name: str, state: str) -> None:
    ran = cli("doctor", "-p", f"sim://BC28?fault={fault}", "--json")
    judge(ran, code, {0: "done", 4: "port", 5: "no-answer"}[code])
    assert states(ran)[name] == state


@pytest.mark.parametrize("model", ["BC26", "SIM7020C", "ME3616", "EC21", "N20", "XY1100", "M5311"])
def test_other_families_are_examined_without_complaint(cli: Cli, model: str) -> None:
    ran = cli("doctor", "-p", f"sim://{model}", "--json", "--exchanges", "6")
    judge(ran, 0, "done")


def test_the_rate_that_is_asked_for_is_the_only_one_tried(cli: Cli) -> None:
    ran = cli("doctor", "-p", "sim://BC28?baud=115200", "-b", "115200", "--json")
    judge(ran, 0, "done")
    assert finding(ran, "line/rates")["says"] == "115200 baud answers; no other was tried"
    assert "time/at 9600" not in states(ran)


def test_a_platform_that_is_named_is_looked_at_and_not_asked(cli: Cli, bench: Bench) -> None:
    ran = cli("doctor", *bench.asking, "--json", ATOTA_ACCESS_KEY=KEY)
    judge(ran, 0, "done")
    found = {name: state for name, state in states(ran).items() if name.startswith("platform/")}
    assert set(found) == {"platform/server", "platform/clock", "platform/key", "platform/product id"}
    assert set(found.values()) == {"ok"}
    assert bench.state == "PENDING"


@pytest.mark.parametrize(
    ("skew", "more", "code", "state"),
    [
        (500, (), 0, "warning"),
        (-5000, (), 8, "bad"),
        (500, ("--auth-ttl", "300"), 8, "bad"),
    ],
)
def test_a_wrong_clock_is_found(
    cli: Cli, make_bench: Callable[..., Bench], skew: int, more: tuple[str, ...], code: int, state: str
) -> None:
    bench = make_bench(f"clock-skew:{skew}")
    ran = cli("doctor", *bench.asking, *more, "--json", ATOTA_ACCESS_KEY=KEY)
    judge(ran, code, {0: "done", 8: "server"}[code])
    assert states(ran)["platform/clock"] == state


@pytest.mark.parametrize(
    ("words", "env", "code", "name"),
    [
        (("--server", "http://127.0.0.1:1"), {}, 8, "platform/server"),
        ((), {"ATOTA_ACCESS_KEY": "not base64 at all!"}, 3, "platform/key"),
        (("--access-key-file", "/no/such/file"), {}, 3, "platform/key"),
        (("--product-id", "a b"), {"ATOTA_ACCESS_KEY": KEY}, 3, "platform/product id"),
    ],
)
def test_what_stands_between_us_and_the_platform_is_found(
    cli: Cli, bench: Bench, words: tuple[str, ...], env: dict[str, str], code: int, name: str
) -> None:
    server = () if "--server" in words else ("--server", bench.server.url)
    ran = cli("doctor", "-p", "sim://BC28", *server, *words, "--json", **env)
    judge(ran, code, {3: "bad-config", 8: "server"}[code])
    assert states(ran)[name] == "bad"
    assert "not base64 at all!" not in ran.out + ran.err


def test_without_a_port_all_are_looked_at_and_none_is_opened(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from atota.link.ports import PortInfo

    one, two = str(tmp_path / "ttyUSB0"), str(tmp_path / "ttyS0")
    for name in (one, two):
        Path(name).touch()
    ports = [PortInfo(device=one, usb_id="0403:6001", latency_timer_ms=16), PortInfo(device=two)]
    monkeypatch.setattr("atota.link.ports.list_ports", lambda: ports)
    monkeypatch.setattr("atota.cli.wiring.open_module", lambda *_, **__: pytest.fail("opened"))
    ran = cli("doctor", "--json")
    judge(ran, 0, "done")
    assert {one["port"] for one in ran.result["findings"]} == {one, two, None}
    assert states(ran)["port/latency"] == "warning"
    page = cli("doctor", COLUMNS="300")
    headings = [line.rstrip() for line in page.out.splitlines() if line.startswith("port")]
    assert headings == [f"port  {one}", f"port  {two}"]


def test_no_port_at_all_is_a_warning(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atota.link.ports.list_ports", list)
    ran = cli("doctor", "--json")
    judge(ran, 0, "done")
    assert states(ran)["port/ports"] == "warning"


def test_the_time_limit_ends_it_with_what_was_found_so_far(cli: Cli) -> None:
    ran = cli("doctor", "-p", "sim://BC28?fault=mute", "--timeout", "3", "--json")
    judge(ran, 124, "timeout")
    assert states(ran) == {"port/adapter": "ok", "port/opens": "ok"}
    page = cli("doctor", "-p", "sim://BC28?fault=mute", "--timeout", "3")
    assert "opened at 9600 baud" in page.out
    assert page.out.rstrip().endswith("not finished")


def test_ctrl_c_ends_it_with_what_was_found_so_far(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    from atota.doctor import line

    def interrupted(*arguments: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        return asked(*arguments)

    asked = line.exchange
    monkeypatch.setattr(line, "exchange", interrupted)
    ran = cli("doctor", "-p", "sim://BC28", "--json")
    judge(ran, 130, "interrupted")
    assert states(ran)["module/identity"] == "ok"
    assert "line/errors" not in states(ran)


@pytest.mark.parametrize(
    "words",
    [
        ("--size", "big"),
        ("--exchanges", "0"),
        ("-p", "sim://NOPE"),
        ("-p", "sim://BC28", "--dialect", "nope"),
        ("-p", "ftp://x"),
    ],
)
def test_a_wrong_call_is_told(cli: Cli, words: tuple[str, ...]) -> None:
    ran = cli("doctor", *words, "--json")
    assert (ran.code, ran.result["outcome"]) == (2, "usage")


def test_a_simulated_module_s_words_cannot_write_to_the_terminal(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    from atota.doctor.findings import Finding

    sly = Finding(group="module", check="x", state="bad", says="\x1b[31m[/nope]", next="[bold]\x07")
    monkeypatch.setattr(doctor, "_examined", lambda *_: iter([sly]))
    ran = cli("doctor")
    assert "\x1b" not in ran.out + ran.err
    assert "\\x1b[31m[/nope]" in ran.out
    assert re.search(r"next: \[bold\]\\x07", ran.out)


@linux
def test_a_port_without_a_real_rate_is_called_one_and_no_minutes_are_computed(cli: Cli, served: str) -> None:
    ran = cli("doctor", "-p", served, "--exchanges", "2", "--json")
    for name in ("line/rates", "time/update"):
        assert finding(ran, name)["state"] == "unknown"
        assert "a pseudo-terminal has no wire" in finding(ran, name)["says"]


@linux
def test_a_port_that_returns_the_own_bytes_is_called_a_loopback(cli: Cli) -> None:
    words = [sys.executable, "-c", ECHO]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as echo:
        assert echo.stdout is not None
        ran = cli("doctor", "-p", echo.stdout.readline().decode().strip(), "--json")
        echo.kill()
    assert "TX is joined to RX" in finding(ran, "line/answer")["says"]
    assert "Take the bridge between TX and RX away" in finding(ran, "line/answer")["next"]
