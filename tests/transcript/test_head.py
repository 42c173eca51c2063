"""The head of a transcript and a job's description are two forms of the same job."""

from pathlib import Path

import pytest

from atota.errors import ConfigError
from atota.settings.head import head_of, spec_of
from atota.settings.spec import Allowed, JobSpec, LocalPackage
from atota.transcript.head import Head, HeadOptions, HeadPackage, parse_head

MD5 = "0123456789abcdef0123456789abcdef"


def test_a_job_comes_back_without_its_platform_and_paths(tmp_path: Path) -> None:
    path = tmp_path / "new app.bin"
    path.write_bytes(bytes(100))
    package = LocalPackage(path, MD5.upper(), "V2")
    spec = JobSpec(
        port="/dev/ttyUSB0",
        package=package,
        baud=9600,
        block=128,
        transfer_baud=0,
        timeout_s=60.5,
        read_back=True,
        allowed=Allowed(unproven=True, any_base=True),
        dev_id="6523",
        serve_url="http://10.0.0.5:80",
        transcript=tmp_path / "t",
    )
    head = head_of("flash", spec)
    assert head.package == HeadPackage("new app.bin", 100, MD5)
    lines = head.lines()
    assert list(lines) == ["command", "package", "target", "options"]
    assert not any(
        word in " ".join(lines.values()) for word in (str(tmp_path), "6523", "10.0.0.5", "ttyUSB0")
    )
    assert parse_head(lines.items()) == head
    assert spec_of(head, port="replay://t", package=package) == JobSpec(
        port="replay://t",
        package=package,
        baud=9600,
        block=128,
        transfer_baud=0,
        timeout_s=60.5,
        read_back=True,
        allowed=Allowed(unproven=True, any_base=True),
    )


def test_a_head_without_options_has_no_line_of_them() -> None:
    assert Head(command="identify").lines() == {"command": "identify"}
    assert parse_head([("link", "/dev/ttyUSB0"), ("command", "identify")]) == Head(command="identify")


def test_options_of_a_newer_program_are_ignored() -> None:
    head = parse_head([("options", '{"block":64,"warp":9,"allowed":["unproven","haste"]}')])
    assert head.options == HeadOptions(block=64, allowed=("unproven", "haste"))
    spec = spec_of(head, port="p", package=LocalPackage(Path("p"), MD5, "V2"))
    assert (spec.block, spec.allowed) == (64, Allowed(unproven=True))


@pytest.mark.parametrize(
    ("key", "text"), [("package", "x"), ("package", "a b c"), ("options", "{"), ("options", '{"baud":"x"}')]
)
def test_a_line_that_cannot_be_read_is_an_error(key: str, text: str) -> None:
    with pytest.raises(ConfigError, match=f"the transcript's {key}"):
        parse_head([(key, text)])
