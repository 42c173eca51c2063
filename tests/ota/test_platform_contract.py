"""The promises of `atota.ota.base.Platform`, for every implementation."""

from pathlib import Path

import pytest

from atota.clock import SimulatedClock
from atota.errors import AtotaError, PlatformRefused, ServerUnreachable, StepResult
from atota.ota.base import CheckQuery, Platform, Status, Task
from atota.ota.cache import Cache
from atota.ota.download import Downloader
from atota.values import Digests
from tests.ota.platforms import DEVICE, MANUF, MODEL, OPERATORS, Operator

PACKAGE = bytes((i * 13 + i // 251) % 256 for i in range(5000))
QUERY = CheckQuery(dev_id=DEVICE, version="V1", manuf=MANUF, model=MODEL)


@pytest.fixture(params=OPERATORS)
def operator(request: pytest.FixtureRequest) -> Operator:
    made: Operator = request.param(PACKAGE, "V2", SimulatedClock())
    return made


@pytest.fixture
def platform(operator: Operator) -> Platform:
    return operator.opened()


def checked(platform: Platform) -> Task:
    task = platform.check(QUERY)
    assert task is not None
    return task


def fetched(platform: Platform, operator: Operator, folder: Path) -> bytes:
    downloader = Downloader(platform, operator.clock, Cache(folder))
    return downloader.fetch(checked(platform), DEVICE).path.read_bytes()


def test_a_task_has_the_digests_that_the_platform_promises(platform: Platform) -> None:
    task, digests = checked(platform), Digests.of(PACKAGE)
    assert (task.target, task.size) == ("V2", digests.size)
    assert platform.capabilities.digests
    for name in platform.capabilities.digests:
        assert getattr(task, name) == getattr(digests, name)


def test_a_task_shows_no_token(platform: Platform) -> None:
    task = checked(platform)
    assert task.token not in f"{task} {task!r}"


def test_no_task_is_none(platform: Platform, operator: Operator) -> None:
    operator.remove()
    assert platform.check(QUERY) is None
    assert platform.tasking(DEVICE) is None


def test_a_dry_run_changes_nothing(platform: Platform, operator: Operator) -> None:
    operator.is_down = True
    assert platform.dry_run(QUERY)["method"]
    assert operator.state == "pending"


def test_a_package_comes_whole_and_in_parts(platform: Platform) -> None:
    task = checked(platform)
    if platform.capabilities.needs_token_check:
        platform.check_token(DEVICE, task.token)
    for first in (0, 1234):
        with platform.open_package(task, first) as part:
            assert b"".join(part.chunks) == PACKAGE[first:]
            assert part.content_range is None or part.content_range.first == first


def test_a_download_moves_the_task(platform: Platform, operator: Operator, tmp_path: Path) -> None:
    assert fetched(platform, operator, tmp_path) == PACKAGE
    assert operator.state == "downloading"


def test_the_task_goes_its_way_to_the_end(platform: Platform, operator: Operator, tmp_path: Path) -> None:
    fetched(platform, operator, tmp_path)
    task = platform.tasking(DEVICE)
    assert task is not None
    platform.report_step(DEVICE, task.token, 50)
    platform.report_step(DEVICE, task.token, Status.DOWNLOADED)
    assert operator.state == "upgrading"
    again = platform.tasking(DEVICE)
    assert again is not None
    assert (again.target, again.md5) == (task.target, task.md5)
    platform.report_step(DEVICE, again.token, Status.UPGRADED)
    assert operator.state == "done"
    assert operator.statuses == [101, 201]
    with pytest.raises(PlatformRefused) as caught:
        platform.report_step(DEVICE, again.token, Status.UPGRADED)
    assert caught.value.result is StepResult.OVER


@pytest.mark.parametrize("status", [Status.UPGRADE_UNKNOWN, Status.UPGRADE_MD5])
def test_a_failure_fails_the_task(
    platform: Platform, operator: Operator, tmp_path: Path, status: Status
) -> None:
    fetched(platform, operator, tmp_path)
    platform.report_step(DEVICE, checked(platform).token, status)
    assert operator.state == "failed"


def test_the_version_of_the_target_completes_a_task(platform: Platform, operator: Operator) -> None:
    checked(platform)
    platform.report_version(DEVICE, f_version="V1")
    assert operator.state == "pending"
    platform.report_version(DEVICE, f_version="V2")
    assert (operator.state == "done") is platform.capabilities.reports_by_version


def test_a_paused_task_is_refused_as_paused(platform: Platform, operator: Operator, tmp_path: Path) -> None:
    fetched(platform, operator, tmp_path)
    task = checked(platform)
    operator.pause()
    with pytest.raises(PlatformRefused) as caught:
        platform.report_step(DEVICE, task.token, Status.DOWNLOADED)
    assert caught.value.result is StepResult.PAUSED
    operator.resume()
    platform.report_step(DEVICE, task.token, Status.DOWNLOADED)
    assert operator.state == "upgrading"


def test_a_cancelled_task_is_over(platform: Platform, operator: Operator, tmp_path: Path) -> None:
    fetched(platform, operator, tmp_path)
    task = checked(platform)
    assert platform.capabilities.has_cancel
    operator.cancel()
    with pytest.raises(PlatformRefused) as caught:
        platform.report_step(DEVICE, task.token, Status.DOWNLOADED)
    assert caught.value.result is StepResult.OVER
    assert platform.check(QUERY) is None


def test_an_expired_token_is_renewed_by_a_check(
    platform: Platform, operator: Operator, tmp_path: Path
) -> None:
    fetched(platform, operator, tmp_path)
    old = checked(platform)
    operator.expire()
    with pytest.raises(PlatformRefused) as caught:
        platform.report_step(DEVICE, old.token, Status.DOWNLOADED)
    assert caught.value.result is StepResult.EXPIRED
    platform.report_step(DEVICE, checked(platform).token, Status.DOWNLOADED)
    assert operator.state == "upgrading"


def test_a_platform_that_is_down_is_unreachable(platform: Platform, operator: Operator) -> None:
    operator.is_down = True
    with pytest.raises(ServerUnreachable):
        platform.check(QUERY)


def test_a_closed_platform_refuses_calls(operator: Operator) -> None:
    with operator.opened() as platform:
        checked(platform)
    platform.close()
    with pytest.raises(AtotaError, match="closed"):
        platform.check(QUERY)


def test_the_url_of_a_package_is_below_the_server(platform: Platform) -> None:
    assert platform.package_url(checked(platform)).startswith(f"{platform.server}/")
