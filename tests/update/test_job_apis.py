"""A job knows no API: what it asks, refuses and reports follows from the capabilities of its platform."""

import ast
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

import atota.update
from atota.clock import SimulatedClock
from atota.errors import Outcome, Refused, UsageError
from atota.journal.model import Opened
from atota.journal.store import Journal
from atota.ota.base import Access, Capabilities
from atota.ota.cache import Cache
from atota.ota.download import Downloader
from atota.ota.registry import names, open_platform
from atota.settings.spec import JobSpec
from atota.sim.link import SimLink
from atota.sim.package import build_package
from atota.update.events import JobResult
from atota.update.job import Job
from atota.update.package import task_query
from atota.update.report import Report, deliver_waiting, waiting
from atota.values import Identity
from tests.ota.path_server import DEVICE, KEY, NAME, PRODUCT
from tests.ota.platforms import FuseOperator, GenericOperator, MemoryOperator, Operator, StudioOperator

PACKAGE = build_package(model="BC28", base="BC28JAR01A03", target="BC28JAR01A05", size=2048)
JOB = "a" * 12 + "-1"


@pytest.fixture
def journal() -> Iterator[Journal]:
    with closing(sqlite3.connect(":memory:")) as database:
        made = Journal.on(database, clock=SimulatedClock())
        entry = made.open_job(Opened(run="a" * 12, attempt=1, command="update", port="/dev/ttyUSB0"))
        entry.verdict(Outcome.UPDATED_UNREPORTED)
        yield made


def run(operator: Operator, folder: Path, *, port: str = "sim://BC28", **spec: Any) -> JobResult:
    fields = {"dev_id": "1", "product_id": operator.product_id, "device_name": operator.device_name}
    with operator.opened() as platform:
        return Job(
            JobSpec(port=port, **{**fields, **spec}),
            platform=platform,
            downloader=Downloader(platform, operator.clock, Cache(folder)),
            clock=operator.clock,
        ).run()


def queue(journal: Journal, **fields: Any) -> None:
    report = Report(server="http://ota.test", type="fota", target="V2", md5="a" * 32, **fields)
    journal.queue(JOB, msgspec.to_builtins(report))


def sent_to_the_module(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Collect everything that is written to simulated modules."""
    sent: list[bytes] = []
    write: Callable[..., Any] = SimLink.write

    def spy(link: SimLink, data: bytes, *more: Any, **how: Any) -> Any:
        sent.append(bytes(data))
        return write(link, data, *more, **how)

    monkeypatch.setattr(SimLink, "write", spy)
    return sent


@pytest.mark.parametrize(
    ("kind", "is_asked"), [(FuseOperator, False), (StudioOperator, False), (GenericOperator, True)]
)
def test_signal_and_supply_are_asked_only_where_a_task_may_set_limits(
    kind: type[Operator], is_asked: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = sent_to_the_module(monkeypatch)
    result = run(kind(PACKAGE, "BC28JAR01A05", SimulatedClock()), tmp_path)
    assert result.outcome == "updated", result.error
    written = b"".join(sent)
    assert (b"AT+CSQ" in written or b"AT+CBC" in written) is is_asked
    assert (result.identity is not None and result.identity.signal is not None) is is_asked


@pytest.mark.parametrize("kind", [FuseOperator, StudioOperator, GenericOperator, MemoryOperator])
def test_a_missing_name_of_the_device_is_wrong_usage_before_the_port_is_opened(
    kind: type[Operator], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = sent_to_the_module(monkeypatch)
    operator = kind(PACKAGE, "BC28JAR01A05", SimulatedClock())
    result = run(operator, tmp_path, dev_id=None, device_name=None, port="/no/such/port")
    assert isinstance(result.error, UsageError)
    option = "--dev-id" if operator.device_name is None else "--device-name"
    assert option in result.error.hint
    assert (result.exit_code, sent) == (2, [])


@pytest.mark.parametrize("name", ["a b", "x" * 65, "水表", "a/b"])
def test_a_name_that_the_platform_refuses_is_wrong_usage_before_the_port_is_opened(
    name: str, tmp_path: Path
) -> None:
    operator = FuseOperator(PACKAGE, "BC28JAR01A05", SimulatedClock())
    result = run(operator, tmp_path, device_name=name, port="/no/such/port")
    assert result.exit_code == 2
    assert operator.server.requests == []


def test_a_module_without_codes_is_an_obstacle_only_where_they_are_needed() -> None:
    spec = JobSpec(port="p", dev_id="1", product_id=PRODUCT, device_name=NAME)
    unlisted = Identity(manufacturer="Acme", model="X1", version="V1", signal=20, battery_percent=80)
    query = task_query(spec, unlisted, Capabilities(naming="product-and-name"))
    assert (query.dev_id, query.version, query.manuf, query.signals) == (DEVICE, "V1", None, None)
    with pytest.raises(Refused, match="Acme X1 is not in the platform's table"):
        task_query(spec, unlisted, Capabilities(needs_codes=True))


def test_the_rule_for_a_version_is_the_platforms() -> None:
    spec = JobSpec(port="p", dev_id="1")
    module = Identity(manufacturer="Acme", model="X1", version="AirM2M_780E_V1138_LTE_AT")
    assert task_query(spec, module, Capabilities()).version == module.version
    for operator in (GenericOperator, FuseOperator, StudioOperator):
        with operator(PACKAGE, "V2", SimulatedClock()).opened() as platform:
            capabilities = msgspec.structs.replace(platform.capabilities, naming="id")
        with pytest.raises(Refused, match="too long for the platform: 24 characters, it takes 20"):
            task_query(spec, module, capabilities)


@pytest.mark.parametrize(
    ("kind", "port", "words"),
    [
        (FuseOperator, "sim://BC26", "完整包 (full, data.type 1)"),
        (StudioOperator, "sim://SIM7000C", "完整包 (full, data.type 1)"),
    ],
)
def test_a_package_of_an_unsure_kind_needs_the_users_word_and_is_named_in_the_platforms(
    kind: type[Operator], port: str, words: str, tmp_path: Path
) -> None:
    operator = kind(PACKAGE, "V2", SimulatedClock())
    result = run(operator, tmp_path, port=port, fw_version="V1")
    assert result.error is not None
    assert (result.exit_code, operator.state) == (6, "pending")
    assert f"the task's package is: {words}" in result.error.message
    assert "--vendor-package" in result.error.hint


@pytest.mark.parametrize("kind", [FuseOperator, StudioOperator])
def test_a_job_is_recorded_with_its_api_and_the_handle_of_its_task(
    kind: type[Operator], tmp_path: Path
) -> None:
    operator = kind(PACKAGE, "BC28JAR01A05", SimulatedClock())
    task = run(operator, tmp_path).task
    assert task is not None
    assert (f"{task.api}-ota".startswith(getattr(operator, "api", "")), task.dev_id) == (True, DEVICE)
    assert task.handle == f"{DEVICE}/1317438"


def test_each_report_waits_for_its_own_api_at_its_own_server(journal: Journal) -> None:
    clock = SimulatedClock()
    operators = [kind(PACKAGE, "V2", clock) for kind in (FuseOperator, StudioOperator, GenericOperator)]
    for api, device in (("fuse", DEVICE), ("studio", DEVICE), ("generic", "1")):
        queue(journal, device=device, version="V2", api=api)
    for left, operator in zip((2, 1, 0), operators, strict=True):
        with operator.opened() as platform:
            deliveries = deliver_waiting(journal, platform)
        assert [one.how for one in deliveries] == ["delivered"]
        assert len(waiting(journal)) == left
        assert operator.state == "done"


def test_a_device_s_key_delivers_no_report_of_another_device(journal: Journal) -> None:
    operator = FuseOperator(PACKAGE, "V2", SimulatedClock())
    queue(journal, device=f"{PRODUCT}/another", version="V2", api="fuse")
    with operator.opened() as platform:
        assert deliver_waiting(journal, platform) == []
    assert (len(waiting(journal)), operator.server.requests) == (1, [])


def test_a_report_of_a_task_that_is_over_by_now_is_settled_by_its_handle(journal: Journal) -> None:
    operator = FuseOperator(PACKAGE, "V2", SimulatedClock())
    operator.cancel()
    queue(journal, device=DEVICE, status=206, api="fuse", handle=f"{DEVICE}/1317438")
    with operator.opened() as platform:
        (delivery,) = deliver_waiting(journal, platform)
    assert (delivery.how, waiting(journal), operator.statuses) == ("delivered", [], [])
    assert "206 is obsolete" in delivery.detail


def test_no_file_of_the_room_names_an_api() -> None:
    apis = set(names())
    files = sorted(Path(*atota.update.__path__).glob("*.py"))
    assert len(files) > 5
    for file in files:
        texts = {
            node.value for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Constant)
        }
        assert not apis & texts, file.name


def test_the_keys_of_all_levels_open_every_api() -> None:
    for api in ("generic", "studio", "fuse"):
        for level in ("product", "device", "user"):
            access = Access(
                server="http://ota.test",
                clock=SimulatedClock(),
                access_key=KEY,
                product_id=PRODUCT,
                device_name=NAME,
                user_id="7",
                key_level=level,
            )
            with open_platform(api, access) as platform:
                only = platform.capabilities.only_device
            assert only == (DEVICE if level == "device" and api != "generic" else "")
