"""The parts that all methods share: files for other tools, the code behind a spec."""

from pathlib import Path

import pytest

from atota.dialects import loader
from atota.dialects.common import MethodSpec
from atota.errors import PackageError, Refused
from atota.fota.base import Options
from atota.fota.registry import code_of, method_for

REPORTING = [one.name for one in loader.all_built_in() if one.method is not None and one.method.refused_magic]


class Lost(MethodSpec, frozen=True, kw_only=True, tag="lost"):
    """A spec whose code was forgotten."""


class Wrong(MethodSpec, frozen=True, kw_only=True, tag="wrong"):
    """A spec that names something else."""

    code = "atota.fota.base:Options"


@pytest.mark.parametrize("name", REPORTING)
def test_a_file_for_another_tool_is_refused_by_what_the_profile_says(name: str, tmp_path: Path) -> None:
    package = tmp_path / "full.fwpkg"
    package.write_bytes(b"Firmware chunks" + bytes(49))
    with pytest.raises(PackageError, match=r"^full\.fwpkg: this is a \.fwpkg for "):
        method_for(loader.load(name)).check(package)


def test_every_family_but_three_refuses_it() -> None:
    others = {one.name for one in loader.all_built_in() if one.method is not None} - set(REPORTING)
    assert others == {"cinterion-ens22", "ec616", "xy1100"}


def test_code_that_was_forgotten_is_told() -> None:
    with pytest.raises(Refused, match="the code of the method lost cannot be loaded: No module named"):
        code_of(Lost)
    with pytest.raises(Refused, match=r"base:Options, the code of the method wrong, is not a Method"):
        code_of(Wrong)
    assert Options() == Options(block=None, read_back=False, push_limit_s=1800.0)
