"""The public API: its names and signatures are a contract, and `import atota` costs nothing."""

import ast
import base64
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import atota
from atota.at.parser import Parser
from tests.meta.sources import ROOT

_TARGET = "baud: int | None = None, dialect: str | None = None, model: str | None = None"
_BOARD = "board: pathlib.Path | str | None = None"
_CLOCK = "clock: atota.clock.Clock | None = None"
_STOP = "stop: atota.clock.StopToken | None = None"
_OPTIONS = "**options: Unpack[JobOptions]"
_RESULT = "atota.update.events.JobResult"
SIGNATURES = {
    "identify_module": f"(port: str, *, {_TARGET}, {_BOARD}, timeout_s: float | None = None, "
    f"{_STOP}, {_CLOCK}) -> atota.values.Identity",
    "flash_module": "(port: str, package: pathlib.Path | str, *, md5: str, target: str, "
    f"{_OPTIONS}) -> {_RESULT}",
    "update_module": "(port: str, *, dev_id: str | None = None, product_id: str | None = None, "
    "access_key: str, device_name: str | None = None, user_id: str | None = None, "
    "key_level: Optional[Literal['product', 'device', 'user']] = None, "
    "api: str | None = None, server: str | None = None, "
    f"{_OPTIONS}) -> {_RESULT}",
    "open_session": "(port: str, *, dialect: str = '3gpp', baud: int | None = None, "
    f"{_CLOCK}, {_STOP}, listener: collections.abc.Callable[[Event], None] | None = None) "
    "-> atota.module.session.Session",
    "open_module": "(port: str, *, baud: int | None = None, first_baud: int | None = None, "
    "dialect: str | None = None, model: str | None = None, board: atota.settings.board.Board | None = None, "
    f"{_CLOCK}, {_STOP}, listener: collections.abc.Callable[[Event], None] | None = None, "
    "wrap: collections.abc.Callable[[atota.link.base.Link], atota.link.base.Link] | None = None) "
    "-> atota.module.module.Module",
}
JOB_OPTIONS = {
    "allow_downgrade",
    "allow_unproven",
    "baud",
    "board",
    "clock",
    "dialect",
    "journal",
    "listener",
    "model",
    "reboot_timeout_s",
    "sha256",
    "stop",
    "timeout_s",
    "transfer_baud",
}
HEAVY = {"httpx", "serial", "starlette", "sqlite3", "msgspec", "typer", "rich", "psycopg"}


def written(function: object) -> str:
    """A signature as text; the members of unions of events are not part of the promise."""
    text = str(inspect.signature(function))  # type: ignore[arg-type]
    text = re.sub(r"\[\[[^]]*update\.events\.[^]]*\]", "[[JobEvent]", text)
    text = re.sub(r"\*\*options: [^)]*JobOptions[^)]*", _OPTIONS, text)
    return re.sub(r"\[\[[^]]*at\.events\.[^]]*\]", "[[Event]", text)


@pytest.mark.parametrize("name", sorted(SIGNATURES))
def test_a_signature_changes_only_on_purpose(name: str) -> None:
    assert written(getattr(atota, name)) == SIGNATURES[name]


def test_the_options_of_a_job_are_these_and_documented() -> None:
    from atota.api import JobOptions

    assert JobOptions.__optional_keys__ == JOB_OPTIONS
    for name in JOB_OPTIONS:
        assert re.search(rf"^    {name}: \S", inspect.getdoc(JobOptions) or "", re.MULTILINE)


def test_the_names_are_these_and_each_can_be_had() -> None:
    assert set(atota.__all__) == {*SIGNATURES, "Job", "errors", "__version__"}
    assert set(atota.__all__) <= set(dir(atota))
    for name in atota.__all__:
        assert getattr(atota, name) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        atota.no_such_name  # noqa: B018


def test_no_name_is_that_of_a_sub_package() -> None:
    package = Path(atota.__file__).parent
    assert not [name for name in atota.__all__ if (package / name).is_dir()]


def test_the_older_paths_lead_to_the_same_objects() -> None:
    from atota.module.module import open_module
    from atota.module.session import open_session
    from atota.update.job import Job

    assert (atota.open_module, atota.open_session, atota.Job) == (open_module, open_session, Job)


def test_every_argument_is_documented() -> None:
    for name in SIGNATURES:
        text = inspect.getdoc(getattr(atota, name)) or ""
        for argument in inspect.signature(getattr(atota, name)).parameters:
            assert re.search(rf"^    {argument}: \S", text, re.MULTILINE), (name, argument)


def test_importing_it_loads_next_to_nothing() -> None:
    code = "import sys; before = set(sys.modules); import atota; print(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert {name for name in loaded if name.startswith("atota")} == {"atota", "atota._version"}
    assert not loaded & HEAVY


def test_the_version_stands_once_and_needs_no_installation() -> None:
    text = (ROOT / "atota" / "_version.py").read_text(encoding="utf-8")
    (assigned,) = (node for node in ast.parse(text).body if isinstance(node, ast.Assign))
    assert ast.literal_eval(assigned.value) == atota.__version__
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert 'dynamic = ["version"]' in project
    assert not re.search(r'^version = "', project, re.MULTILINE)


def test_the_parser_takes_bytes_in_any_pieces() -> None:
    stream = b"\r\n+CSQ: 18,99\r\n\r\nOK\r\n"
    whole, single = Parser(), Parser()
    assert whole.receive(stream) == [event for byte in stream for event in single.receive(bytes([byte]))]


def test_a_session_answers_as_promised() -> None:
    with atota.open_session("sim://BC28", dialect="3gpp") as session:
        response = session.command("AT+CGMR", timeout_s=2.0)
        assert (response.ok, response.final.kind, response.final.code) == (True, "OK", None)
        assert response.lines
        assert not session.command("AT+NONSENSE", timeout_s=2.0).ok
        assert isinstance(session.take_urcs(), list)


def test_a_module_is_identified_and_flashed_in_one_call(tmp_path: Path) -> None:
    from atota.clock import SimulatedClock
    from atota.sim.package import build_package
    from atota.update.events import JobEvent
    from atota.values import Digests

    package = tmp_path / "package.bin"
    data = build_package(model="BC28", base="BC28JAR01A03", target="BC28JAR01A05", size=4096)
    package.write_bytes(data)
    identity = atota.identify_module("sim://BC28", clock=SimulatedClock(), timeout_s=60.0)
    assert (identity.model, identity.dialect is not None) == ("BC28", True)
    events: list[JobEvent] = []
    result = atota.flash_module(
        "sim://BC28",
        package,
        md5=Digests.of(data).md5,
        target="BC28JAR01A05",
        journal=tmp_path / "journal.db",
        listener=events.append,
        clock=SimulatedClock(),
    )
    assert (result.outcome, result.version_after, result.error) == ("updated", "BC28JAR01A05", None)
    assert events
    assert (tmp_path / "journal.db").exists()


def test_a_module_is_updated_from_the_platform_in_one_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from atota.clock import SimulatedClock, SystemClock
    from atota.otaserver.model import Auth, Device, TasksFile, TaskSpec, build
    from atota.otaserver.serve import RunningServer
    from atota.otaserver.service import LocalPlatform
    from atota.sim.package import build_package

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    key = base64.b64encode(b"a key of the tests").decode()
    package = build_package(model="BC28", base="BC28JAR01A03", target="BC28JAR01A05", size=4096)
    task = TaskSpec(dev_id="1", manuf="014", model="01401", package="p", target="BC28JAR01A05")
    tasks = TasksFile(
        auth=Auth(product_id="123", access_key=key), devices=(Device(dev_id="1"),), tasks=(task,)
    )
    platform = LocalPlatform(build(tasks, {"p": package}), clock=SystemClock())
    with RunningServer(platform) as server:
        result = atota.update_module(
            "sim://BC28",
            dev_id="1",
            product_id="123",
            access_key=key,
            server=server.url,
            clock=SimulatedClock(),
        )
    assert (result.outcome, result.version_after, result.error) == ("updated", "BC28JAR01A05", None)
    assert platform.complaints == []
