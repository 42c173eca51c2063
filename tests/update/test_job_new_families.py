"""Whole jobs on the modules whose profiles are data alone: no method was made for them."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.update.streams import flashed, made

MakeBench = Callable[..., Any]
UPLOADED = ("EG25", "EG18", "EC200A", "SARA-R510", "LARA-R6", "NRF93M1")
FETCHED = ("BC66", "BC660K", "EC200U", "BG96", "BG770A")


@pytest.mark.parametrize("model", [*UPLOADED, *FETCHED])
def test_11_18_a_job_ends_updated(make_bench: MakeBench, model: str) -> None:
    bench = made(make_bench, model)
    result = flashed(bench)
    bench.judge(result)
    assert result.outcome == "updated", result.error
    assert bench.module.version == bench.target
    assert bench.module.starts == ["PACKAGE_OK"]


@pytest.mark.parametrize("model", ["EG18", "SARA-R510"])
def test_11_18_an_update_that_fails_is_told_as_such(make_bench: MakeBench, model: str) -> None:
    bench = made(make_bench, model, "fail-update")
    result = flashed(bench)
    bench.judge(result)
    assert result.outcome == "old-version"
    assert bench.module.version == bench.base


def test_11_18_the_percent_of_an_install_is_not_a_failure(make_bench: MakeBench) -> None:
    """+UUFWINSTALL is percent up to 100, 128 is success."""
    bench = made(make_bench, "SARA-R510")
    result = flashed(bench)
    assert result.outcome == "updated"
    assert not result.warnings


def test_11_18_an_upload_goes_to_the_folder_of_its_family(make_bench: MakeBench) -> None:
    for model, folder in (("EG25", "/data/ufs/"), ("EG18", "/cache/ufs/")):
        bench = made(make_bench, model)
        flashed(bench)
        method = bench.module.persona.way
        assert method.folder == folder.encode()
