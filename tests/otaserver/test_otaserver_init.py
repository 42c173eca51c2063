"""The folder that `atota sim server --init` makes: its device works with all three APIs."""

import re
from pathlib import Path

import pytest

from atota.cli.commands.sim import make_folder, update_commands
from atota.clock import SimulatedClock
from atota.errors import ConfigError
from atota.otaserver.model import load
from atota.otaserver.service import LocalPlatform
from tests.otaserver.asking import ask, code, signature

PRODUCT, NAME, DEV_ID = "1000", "bench-1", "6523"
RESOURCES = (f"products/{PRODUCT}", f"products/{PRODUCT}/devices/{NAME}", "userid/12321")


@pytest.mark.parametrize("resource", RESOURCES)
def test_its_key_is_taken_at_each_level_by_each_api(resource: str, tmp_path: Path) -> None:
    make_folder(tmp_path / "platform")
    key = (tmp_path / "platform" / "access-key").read_text().strip()
    p = LocalPlatform(load(tmp_path / "platform"), clock=SimulatedClock())
    header = signature(p, resource, key, version="2022-05-01")
    for prefix in ("fuse-ota", "ota"):
        target = f"/{prefix}/{PRODUCT}/{NAME}/check?type=1&version=V1"
        assert code(ask(p, "GET", target, authorization=header)) == 0
    target = f"/ota/south/check?dev_id={DEV_ID}&manuf=014&model=01401&type=1&version=V1"
    is_known = not resource.startswith("userid")
    assert (code(ask(p, "GET", target, authorization=header)) == 0) == is_known


def test_the_commands_name_each_api_and_a_key_that_is_there(tmp_path: Path) -> None:
    folder = tmp_path / "a platform"
    make_folder(folder)
    commands = update_commands("http://127.0.0.1:8080", folder)
    assert [re.findall(r"--api (\w+)", command) for command in commands] == [
        ["fuse"],
        ["studio"],
        ["generic"],
    ]
    for command in commands:
        assert "--server http://127.0.0.1:8080 " in command
        assert f"--product-id {PRODUCT} " in command
        assert command.endswith(f"--access-key-file '{folder}/access-key'")
        assert (f"--device-name {NAME} " in command) != (f"--dev-id {DEV_ID} " in command)


def test_a_folder_with_tasks_is_left_alone(tmp_path: Path) -> None:
    make_folder(tmp_path)
    (tmp_path / "tasks.toml").write_text("mine")
    with pytest.raises(ConfigError, match="is there already"):
        make_folder(tmp_path)
    assert (tmp_path / "tasks.toml").read_text() == "mine"
