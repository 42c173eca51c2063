"""The promises of `atota.ota.base.Platform`, for every implementation."""

from pathlib import Path

import pytest

from atota.clock import SimulatedClock
from atota.errors import AtotaError, PlatformRefused, Refused, ServerUnreachable, StepResult
from atota.ota.base import CheckQuery, Platform, Status, Task, Versions
from atota.ota.cache import Cache
from atota.ota.download import Downloader
from atota.ota.registry import names
from atota.values import Digests
from tests.ota.platforms import (
    EXPIRING,
    MANUF,
    MODEL,
    OPERATORS,
    PAUSING,
    FuseOperator,
    GenericOperator,
    MemoryOperator,
    Operator,
    StudioOperator,
)

PACKAGE = bytes((i * 13 + i // 251) % 256 for i in range(5000))


@pytest.fixture(params=OPERATORS)
def operator(request: pytest.FixtureRequest) -> Operator:
    made: Operator = request.param(PACKAGE, "V2", SimulatedClock())
    return made


@pytest.fixture
def platform(operator: Operator) -> Platform:
    return operator.opened()


def query(operator: Operator) -> CheckQuery:
    return CheckQuery(dev_id=operator.device, version="V1", manuf=MANUF, model=MODEL)


def checked(platform: Platform, operator: Operator) -> Task:
    task = platform.check(query(operator))
    assert task is not None
    return task


def handled(platform: Platform, operator: Operator) -> Task:
    """Return the task in work with its handle: from the platform, or where it is no secret as it was kept."""
    task = platform.tasking(operator.device)
    if task is None:
        assert not platform.capabilities.has_secret_token
        return checked(platform, operator)
    return task


def fetched(platform: Platform, operator: Operator, folder: Path) -> bytes:
    downloader = Downloader(platform, operator.clock, Cache(folder))
    return downloader.fetch(checked(platform, operator), operator.device).path.read_bytes()


def test_a_task_has_the_digests_that_the_platform_promises(platform: Platform, operator: Operator) -> None:
    task, digests = checked(platform, operator), Digests.of(PACKAGE)
    assert (task.target, task.size) == ("V2", digests.size)
    assert platform.capabilities.digests
    for name in platform.capabilities.digests:
        assert getattr(task, name) == getattr(digests, name)


def test_a_task_shows_no_token(platform: Platform, operator: Operator) -> None:
    task = checked(platform, operator)
    assert task.token not in f"{task} {task!r}"


def test_no_task_is_none(platform: Platform, operator: Operator) -> None:
    operator.remove()
    assert platform.check(query(operator)) is None
    assert platform.tasking(operator.device) is None


def test_a_dry_run_changes_nothing(platform: Platform, operator: Operator) -> None:
    operator.is_down = True
    assert platform.dry_run(query(operator))["method"]
    assert operator.state == "pending"


def test_a_package_comes_whole_and_in_parts(platform: Platform, operator: Operator) -> None:
    task = checked(platform, operator)
    if platform.capabilities.needs_token_check:
        platform.check_token(operator.device, task.token)
    for first in (0, 1234):
        with platform.open_package(task, first) as part:
            assert b"".join(part.chunks) == PACKAGE[first:]
            assert part.content_range is None or part.content_range.first == first


def test_a_download_moves_the_task(platform: Platform, operator: Operator, tmp_path: Path) -> None:
    assert fetched(platform, operator, tmp_path) == PACKAGE
    assert operator.state == "downloading"


def test_the_task_goes_its_way_to_the_end(platform: Platform, operator: Operator, tmp_path: Path) -> None:
    fetched(platform, operator, tmp_path)
    task = handled(platform, operator)
    platform.report_step(operator.device, task.token, 50)
    platform.report_step(operator.device, task.token, Status.DOWNLOADED)
    assert operator.state == "upgrading"
    again = handled(platform, operator)
    assert (again.target, again.md5) == (task.target, task.md5)
    platform.report_step(operator.device, again.token, Status.UPGRADED)
    assert operator.state == "done"
    assert operator.statuses == [101, 201]
    with pytest.raises(PlatformRefused) as caught:
        platform.report_step(operator.device, again.token, Status.UPGRADE_UNKNOWN)
    assert caught.value.result is StepResult.OVER


@pytest.mark.parametrize("status", [Status.UPGRADE_UNKNOWN, Status.UPGRADE_MD5])
def test_a_failure_fails_the_task(
    platform: Platform, operator: Operator, tmp_path: Path, status: Status
) -> None:
    fetched(platform, operator, tmp_path)
    platform.report_step(operator.device, checked(platform, operator).token, status)
    assert operator.state == "failed"


def test_the_version_of_the_target_completes_a_task(platform: Platform, operator: Operator) -> None:
    checked(platform, operator)
    platform.report_version(operator.device, f_version="V1")
    assert operator.state == "pending"
    platform.report_version(operator.device, f_version="V2")
    assert (operator.state == "done") is platform.capabilities.reports_by_version


@pytest.mark.parametrize("operator", PAUSING, indirect=True)
def test_a_paused_task_is_refused_as_paused(platform: Platform, operator: Operator, tmp_path: Path) -> None:
    fetched(platform, operator, tmp_path)
    task = checked(platform, operator)
    operator.pause()
    with pytest.raises(PlatformRefused) as caught:
        platform.report_step(operator.device, task.token, Status.DOWNLOADED)
    assert caught.value.result is StepResult.PAUSED
    operator.resume()
    platform.report_step(operator.device, task.token, Status.DOWNLOADED)
    assert operator.state == "upgrading"


def test_a_cancelled_task_is_over(platform: Platform, operator: Operator, tmp_path: Path) -> None:
    fetched(platform, operator, tmp_path)
    task = checked(platform, operator)
    assert platform.capabilities.has_cancel
    operator.cancel()
    with pytest.raises(PlatformRefused) as caught:
        platform.report_step(operator.device, task.token, Status.DOWNLOADED)
    assert caught.value.result is StepResult.OVER
    assert platform.check(query(operator)) is None


@pytest.mark.parametrize("operator", EXPIRING, indirect=True)
def test_an_expired_token_is_renewed_by_a_check(
    platform: Platform, operator: Operator, tmp_path: Path
) -> None:
    fetched(platform, operator, tmp_path)
    old = checked(platform, operator)
    operator.expire()
    with pytest.raises(PlatformRefused) as caught:
        platform.report_step(operator.device, old.token, Status.DOWNLOADED)
    assert caught.value.result is StepResult.EXPIRED
    platform.report_step(operator.device, checked(platform, operator).token, Status.DOWNLOADED)
    assert operator.state == "upgrading"


def test_a_platform_that_is_down_is_unreachable(platform: Platform, operator: Operator) -> None:
    operator.is_down = True
    with pytest.raises(ServerUnreachable):
        platform.check(query(operator))


def test_a_closed_platform_refuses_calls(operator: Operator) -> None:
    with operator.opened() as platform:
        checked(platform, operator)
    platform.close()
    with pytest.raises(AtotaError, match="closed"):
        platform.check(query(operator))


@pytest.mark.parametrize("operator", [GenericOperator, MemoryOperator], indirect=True)
def test_the_url_of_a_package_is_below_the_server(platform: Platform, operator: Operator) -> None:
    assert platform.package_url(checked(platform, operator)).startswith(f"{platform.server}/")


@pytest.mark.parametrize("operator", [FuseOperator, StudioOperator], indirect=True)
def test_a_package_that_needs_a_signature_has_no_url(platform: Platform, operator: Operator) -> None:
    with pytest.raises(Refused, match="wants a signature") as caught:
        platform.package_url(checked(platform, operator))
    assert "--serve-url" in caught.value.hint


def test_a_platform_that_can_be_asked_returns_the_versions_that_it_got(
    platform: Platform, operator: Operator
) -> None:
    before = operator.state
    platform.report_version(operator.device, f_version="V1", s_version="S1")
    expected = Versions("V1", "S1") if platform.capabilities.has_version_query else None
    assert platform.versions(operator.device) == expected
    assert operator.state == before


def test_a_version_report_keeps_the_other_version_that_the_platform_has(
    platform: Platform, operator: Operator
) -> None:
    platform.report_version(operator.device, f_version="V1", s_version="S1")
    platform.report_version(operator.device, f_version="V3")
    expected = Versions("V3", "S1") if platform.capabilities.needs_both_versions else None
    assert platform.versions(operator.device) == expected


def test_its_name_is_the_one_that_the_registry_opens(platform: Platform) -> None:
    assert platform.capabilities.api in (*names(), "")
