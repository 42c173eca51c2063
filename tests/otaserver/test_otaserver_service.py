import re
from typing import Any

import pytest

from atota.clock import SimulatedClock
from atota.errors import UsageError
from atota.otaserver.model import Auth, Device, TasksFile, TaskSpec, build
from atota.otaserver.service import Answer, LocalPlatform, new_token
from atota.otaserver.tasks import Errno, TaskState

DATA = bytes(range(200))
DEVICE = "6523"


def platform(faults: str = "", *, dev_id: str = DEVICE, listed: bool = True, **spec: Any) -> LocalPlatform:
    fields = {"manuf": "001", "model": "00107", "package": "a.bin", "target": "V2", **spec}
    file = TasksFile(
        auth=Auth(required=False, product_id="42"),
        devices=(Device(dev_id=DEVICE, name="line1", imei="490154203237518", f_version="V0"),)
        if listed
        else (),
        tasks=(TaskSpec(dev_id=dev_id, **fields),),
    )
    return LocalPlatform(build(file, {"a.bin": DATA}), clock=SimulatedClock(), faults=faults)


def check(
    p: LocalPlatform, version: str = "V1", manuf: str | None = "001", model: str | None = "00107"
) -> Answer:
    return p.check(DEVICE, "fota", version, manuf, model)


def token(p: LocalPlatform) -> str:
    return p.task(DEVICE).token


def started(p: LocalPlatform) -> str:
    check(p)
    assert p.check_token(token(p), DEVICE).errno == 0
    return token(p)


def test_a_whole_job_leaves_its_history_in_order() -> None:
    p = platform()
    handle = started(p)
    task = p.open_download(handle)
    assert task is not None
    p.note(task, "download", (0, 199), 0, "generic")
    for step in (10, 99, 101, 201):
        assert p.progress(handle, DEVICE, step).errno == 0
    assert p.report_version(DEVICE, "V2", None).errno == 0

    assert p.task(DEVICE).state is TaskState.DONE
    assert [(s.call, s.value) for s in p.task(DEVICE).history] == [
        ("check", "V1"),
        ("token", None),
        ("download", (0, 199)),
        ("progress", 10),
        ("progress", 99),
        ("progress", 101),
        ("progress", 201),
        ("version", "V2"),
    ]
    assert p.task(DEVICE).reported == [10, 99, 101, 201]
    assert p.complaints == []


def test_check_hands_out_the_task_in_the_order_of_the_real_replies() -> None:
    p = platform(signal=10, power=50, retry=3, interval=600)
    answer = check(p)
    assert answer.errno is Errno.SUCC
    assert answer.data is not None
    assert list(answer.data) == [
        "target",
        "token",
        "size",
        "md5",
        "signal",
        "power",
        "retry",
        "interval",
        "type",
    ]
    assert answer.data["size"] == 200
    assert answer.data["type"] == 1
    assert (answer.data["signal"], answer.data["power"]) == (10, 50)
    assert (answer.data["retry"], answer.data["interval"]) == (3, 600)


def test_tokens_have_the_form_of_the_platform() -> None:
    assert all(re.fullmatch(r"ota_[0-9A-Za-z]{20}", new_token()) for _ in range(50))
    assert new_token() != new_token()


@pytest.mark.parametrize(("manuf", "model"), [("014", "00107"), ("001", "00108"), ("1", "00107")])
def test_a_check_with_other_codes_fails_the_task(manuf: str, model: str) -> None:
    p = platform()
    assert check(p, manuf=manuf, model=model).errno is Errno.CODES
    assert p.task(DEVICE).state is TaskState.FAILED
    assert check(p).errno is Errno.NO_TASK


def test_a_check_without_codes_is_taken_as_the_official_client_sends_it() -> None:
    assert check(platform(), manuf=None, model=None).errno is Errno.SUCC


def test_a_delta_fails_with_another_base_and_passes_with_its_own() -> None:
    p = platform(kind="delta", base="V1")
    answer = check(p, "V1")
    assert answer.data is not None
    assert answer.data["type"] == 2
    assert check(p, "V1.1").errno is Errno.BASE
    assert p.task(DEVICE).state is TaskState.FAILED


def test_every_check_overwrites_the_stored_version() -> None:
    p = platform()
    assert p.version(DEVICE) == "V0"
    check(p, "V7", manuf="999")
    assert p.version(DEVICE) == "V7"
    check(p, "V8")
    assert p.version(DEVICE) == "V8"


@pytest.mark.parametrize("version", ["", "V 1", "x" * 21, "版本", "V1\n"])
def test_a_version_outside_the_rule_is_errno_27_and_changes_nothing(version: str) -> None:
    p = platform()
    assert check(p, version).errno is Errno.VERSION
    assert p.report_version(DEVICE, version, None).errno is Errno.VERSION
    assert p.version(DEVICE) == "V0"
    assert p.task(DEVICE).history == []


def test_an_unknown_device_is_errno_1() -> None:
    p = platform()
    assert p.check("9", "fota", "V1", None, None).errno is Errno.AUTH
    assert p.report_version("9", "V1", None).errno is Errno.AUTH


def test_fota_and_sota_are_apart() -> None:
    p = platform()
    assert p.check(DEVICE, "sota", "V1", None, None).errno is Errno.NO_TASK
    assert p.version(DEVICE, "sota") == "V1"
    p.report_version(DEVICE, None, "V2")
    assert p.task(DEVICE).state is TaskState.PENDING
    with pytest.raises(UsageError, match="6523 has no sota task"):
        p.task(DEVICE, "sota")


@pytest.mark.parametrize("steps", [(), (0,), (50, 100)])
def test_reporting_the_target_completes_an_active_task(steps: tuple[int, ...]) -> None:
    p = platform()
    handle = started(p)
    for step in steps:
        p.progress(handle, DEVICE, step)
    p.report_version(DEVICE, "V1.9", None)
    assert p.task(DEVICE).state is not TaskState.DONE
    p.report_version(DEVICE, "V2", None)
    assert p.task(DEVICE).state is TaskState.DONE


def test_success_sets_the_stored_version_to_the_target() -> None:
    p = platform()
    p.progress(started(p), DEVICE, 201)
    assert p.version(DEVICE) == "V2"


@pytest.mark.parametrize("code", [*range(102, 108), *range(202, 209)])
@pytest.mark.parametrize("call", ["progress", "report"])
def test_each_failure_code_fails_the_task(code: int, call: str) -> None:
    p = platform()
    handle = started(p)
    answer = getattr(p, call)(handle, DEVICE, code)
    assert answer.errno is Errno.SUCC
    assert p.task(DEVICE).state is TaskState.FAILED


@pytest.mark.parametrize("code", [-1, 108, 200, 209, 300, 10**12])
def test_an_unknown_code_is_refused_by_each_call_in_its_own_way(code: int) -> None:
    p = platform()
    handle = started(p)
    assert p.progress(handle, DEVICE, code).errno is Errno.ARGUMENT
    assert p.report(handle, DEVICE, code).errno is Errno.RESULT
    assert p.task(DEVICE).state is TaskState.DOWNLOADING


def test_the_older_call_takes_no_percentages() -> None:
    p = platform()
    assert p.report(started(p), DEVICE, 50).errno is Errno.RESULT


@pytest.mark.parametrize("first", [100, 101])
def test_a_second_end_of_download_means_nothing_and_is_noticed(first: int) -> None:
    p = platform()
    handle = started(p)
    assert p.progress(handle, DEVICE, first).errno is Errno.SUCC
    assert p.progress(handle, DEVICE, 101).errno is Errno.OPERATION
    assert p.progress(handle, DEVICE, 100).errno is Errno.OPERATION
    assert p.progress(handle, DEVICE, 107).errno is Errno.OPERATION
    assert p.task(DEVICE).state is TaskState.UPGRADING
    assert len(p.complaints) == 3
    assert "reports 101 where it means nothing" in p.complaints[0]


def test_percentages_need_the_token_check_first() -> None:
    p = platform()
    check(p)
    assert p.progress(token(p), DEVICE, 10).errno is Errno.OPERATION


def test_a_token_belongs_to_its_device() -> None:
    p = platform()
    check(p)
    assert p.check_token(token(p), "6524").errno is Errno.TOKEN
    assert p.check_token(token(p), None).errno is Errno.TOKEN
    assert p.check_token("ota_00000000000000000000", DEVICE).errno is Errno.TOKEN
    assert p.progress(token(p), "6524", 10).errno is Errno.AUTH
    assert p.task(DEVICE).state is TaskState.PENDING


def test_a_token_lives_48_hours_and_the_next_check_brings_a_new_one() -> None:
    p = platform()
    handle = started(p)
    p.clock.sleep(48 * 3600)
    assert p.check_token(handle, DEVICE).errno is Errno.SUCC
    p.clock.sleep(1)
    assert p.check_token(handle, DEVICE).errno is Errno.EXPIRED
    assert p.open_download(handle) is None
    assert p.progress(handle, DEVICE, 10).errno is Errno.EXPIRED
    assert p.tasking(DEVICE, "fota").errno is Errno.EXPIRED

    answer = check(p)
    assert answer.data is not None
    assert answer.data["token"] != handle
    assert p.check_token(handle, DEVICE).errno is Errno.EXPIRED
    assert p.check_token(token(p), DEVICE).errno is Errno.SUCC
    assert p.open_download(handle) is None
    assert p.open_download(token(p)) is p.task(DEVICE)


def test_a_check_keeps_a_token_that_lives() -> None:
    p = platform()
    first, second = check(p).data, check(p).data
    assert first is not None
    assert first == second


@pytest.mark.parametrize(("end", "errno"), [(101, Errno.STATE), (102, Errno.STATE), (201, Errno.FINISHED)])
def test_the_token_check_says_what_became_of_the_task(end: int, errno: Errno) -> None:
    p = platform()
    handle = started(p)
    p.progress(handle, DEVICE, end)
    assert p.check_token(handle, DEVICE).errno is errno
    assert p.open_download(handle) is None


def test_pause_resume_and_cancel_are_the_operators() -> None:
    p = platform()
    handle = started(p)
    p.task(DEVICE).pause()
    assert check(p).errno is Errno.PAUSED
    assert p.check_token(handle, DEVICE).errno is Errno.PAUSED
    assert p.progress(handle, DEVICE, 50).errno is Errno.PAUSED
    assert p.open_download(handle) is None
    p.task(DEVICE).resume()
    assert p.task(DEVICE).state is TaskState.DOWNLOADING
    p.task(DEVICE).cancel()
    assert check(p).errno is Errno.NO_TASK
    assert p.check_token(handle, DEVICE).errno is Errno.CANCELLED
    assert p.progress(handle, DEVICE, 107).errno is Errno.CANCELLED
    assert p.report(handle, DEVICE, 107).errno is Errno.CANCELLED


def test_tasking_answers_only_for_a_task_under_way() -> None:
    p = platform()
    assert p.tasking(DEVICE, "fota").errno is Errno.TOKEN
    started(p)
    assert p.tasking(DEVICE, "fota").data == check(p).data


def test_a_download_before_the_token_check_is_served_and_noticed() -> None:
    p = platform()
    check(p)
    assert p.open_download(token(p)) is not None
    assert p.complaints == ["device 6523 downloads before the token was checked"]


def test_a_policy_makes_a_task_for_any_device_that_fits() -> None:
    p = platform(dev_id="*", listed=False)
    assert p.tasks == []
    assert p.check("1", "fota", "V1", "014", "01401").errno is Errno.NO_TASK
    assert p.check("1", "fota", "V2", "001", "00107").errno is Errno.NO_TASK  # already there
    assert p.tasks == []
    assert p.check("1", "fota", "V1", "001", "00107").errno is Errno.SUCC
    assert p.check("2", "fota", "V1", "001", "00107").errno is Errno.SUCC
    assert [task.dev_id for task in p.tasks] == ["1", "2"]
    assert p.check("1", "fota", "V1", "001", "00107").errno is Errno.SUCC
    assert len(p.tasks) == 2


def test_a_policy_takes_a_failed_device_again_but_not_a_cancelled_one() -> None:
    p = platform(dev_id="*")
    p.progress(started(p), DEVICE, 206)
    assert check(p).errno is Errno.SUCC
    assert [task.state for task in p.tasks] == [TaskState.FAILED, TaskState.PENDING]
    p.task(DEVICE).cancel()
    assert check(p).errno is Errno.NO_TASK


def test_a_delta_policy_fits_only_its_base() -> None:
    p = platform(dev_id="*", kind="delta", base="V1")
    assert check(p, "V0").errno is Errno.NO_TASK
    assert p.tasks == []
    assert check(p, "V1").errno is Errno.SUCC


def test_where_devices_are_listed_no_other_is_admitted() -> None:
    p = platform(dev_id="*")
    assert p.check("9", "fota", "V1", None, None).errno is Errno.AUTH


@pytest.mark.parametrize("info", ["490154203237518", "line1", DEVICE])
def test_a_device_is_found_by_imei_name_or_id(info: str) -> None:
    p = platform()
    assert p.device_info("42", info).data == {"dev_id": DEVICE}
    assert p.device_info("43", info).errno is Errno.ARGUMENT
    assert p.device_info("42", "stranger").errno is Errno.ARGUMENT


def test_no_token_shows_in_a_repr() -> None:
    p = platform()
    answer = check(p)
    for value in (answer, p.task(DEVICE), p.task(DEVICE).history):
        assert token(p)[4:] not in repr(value)
