"""The bench: a whole job in memory, and the true state after it."""

import re
import socket
from pathlib import Path

import pytest

from atota.errors import UsageError
from atota.link.base import Link
from atota.link.forward import ForwardingLink
from atota.link.ports import PortInfo
from atota.settings.spec import Allowed
from atota.sim.options import Options
from atota.testing import bench as room
from atota.testing.bench import Bench

ALL = Allowed(unproven=True)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bench opens no socket."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "bind", refuse)


def test_a_job_with_the_platform_in_memory() -> None:
    with Bench() as bench:
        result = bench.run()
        assert result.outcome == "updated", result.error
        assert (bench.base, bench.module.version) == ("BC28JAR01A03", "BC28JAR01A04")
        assert bench.task.reported[-2:] == [101, 201]
        assert bench.requests[0] == "GET /ota/south/check"
        assert bench.started_whole == [True]
        assert bench.stages()[:2] == ["open", "identify"]
        assert bench.progress("write")[-1].done == len(bench.package)


@pytest.mark.parametrize("model", ["BC28", "SIM7000C", "SIM7020C", "ME3616", "EC21", "BC26", "SARA-R410"])
def test_every_kind_of_module_is_flashed(model: str) -> None:
    with Bench(model) as bench:
        result = bench.flash(allowed=ALL)
        assert result.outcome == "updated", result.error
        assert bench.module.version == bench.target
        assert bench.requests == []


def test_a_module_that_only_its_platform_updates_is_updated_by_the_platform() -> None:
    with Bench("M5311") as bench:
        assert bench.flash(allowed=ALL).outcome == "refused"
    with Bench("M5311") as bench:
        result = bench.run(allowed=ALL)
        assert result.outcome == "updated", result.error
        assert bench.module.version == bench.target


def test_a_module_that_fetches_its_package_gets_it_from_the_platform() -> None:
    with Bench("BC26") as bench:
        result = bench.run(allowed=Allowed(unproven=True, vendor_package=True))
        assert result.outcome == "updated", result.error


def test_a_second_job_finds_what_the_first_one_left() -> None:
    with Bench("BC28", faults="unplug-at:5") as bench:
        assert bench.run().outcome == "port"
        bench.clock.sleep(60)
        assert bench.run().outcome == "updated"
        assert bench.run().outcome in ("no-task", "already-current")


def test_an_adapter_comes_back_within_the_job() -> None:
    class Adapters:
        def remember(self, port: str) -> PortInfo | None:
            return PortInfo(device=port, usb_id="0403:6001")

        def find(self, known: PortInfo) -> str | None:
            return known.device

    with Bench("BC28", faults="unplug-at:5") as bench:
        bench.adapters = Adapters()
        assert bench.run().outcome == "updated"


def test_faults_of_the_platform_strike() -> None:
    with Bench(platform_faults="http-500@report") as bench:
        assert bench.run().outcome in ("updated", "updated-unreported")
    with Bench(platform_faults="wrong-md5") as bench:
        assert bench.run().outcome == "bad-package"
        assert bench.started_whole == []


def test_terms_of_the_task_and_of_the_module_are_given() -> None:
    with Bench(options=Options(csq=3), task={"signal": 10}) as bench:
        assert bench.run().outcome == "refused"
    with Bench(made_for="ANOTHER") as bench:
        assert bench.run().outcome == "old-version"
        assert bench.module.version == bench.base


def test_a_link_round_the_modules_listens_in() -> None:
    written: list[bytes] = []

    class Listening(ForwardingLink):
        def write(self, data: bytes) -> None:
            written.append(data)
            self.inner.write(data)

    def wrap(link: Link) -> Link:
        return Listening(link)

    with Bench(wrap=wrap) as bench:
        bench.run()
    assert b"AT+CGMI\r" in written


def test_what_is_wrong_is_said_when_the_bench_is_made() -> None:
    with pytest.raises(UsageError):
        Bench("NO-SUCH-MODULE")
    with pytest.raises(UsageError):
        Bench(faults="no-such-fault")


def test_a_temporary_folder_goes_with_the_bench() -> None:
    with Bench() as bench:
        bench.flash()
        folder = bench.folder
        assert (folder / "package.bin").is_file()
    assert not folder.exists()


def test_the_example_of_the_documentation_works() -> None:
    (example,) = re.findall(r"\n\n((?:    .*\n|\n)+)", f"{room.__doc__}\n")
    code = "\n".join(line[4:] for line in example.splitlines())
    assert "bench.run()" in code
    exec(compile(code, str(Path(room.__file__)), "exec"), {})
