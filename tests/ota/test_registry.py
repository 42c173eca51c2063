"""Platform APIs by name: the built-in ones, and those of packages that are installed beside atota."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import atota
from atota.clock import SimulatedClock
from atota.errors import ConfigError, UsageError
from atota.ota.registry import DEFAULT, Access, chosen, names, open_platform

CODE = '''
"""A platform of a third party."""

from atota.ota.base import Capabilities


class Mine:
    capabilities = Capabilities(pause_s=7.0)

    def __init__(self, access):
        self.server = access.server


def open_mine(access):
    return Mine(access)
'''

SCRIPT = """
from atota.clock import SimulatedClock
from atota.ota.registry import Access, names, open_platform

platform = open_platform("mine", Access(server="https://mine.test", clock=SimulatedClock()))
print(names(), type(platform).__module__, platform.server, platform.capabilities.pause_s)
"""


def install(folder: Path, code: str, target: str = "atota_mine:open_mine") -> None:
    """Lay a distribution out as an installer does."""
    (folder / "atota_mine.py").write_text(code)
    metadata = folder / "atota_mine-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: atota-mine\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[atota.platforms]\nmine = {target}\n")


def test_an_installed_package_adds_a_platform(tmp_path: Path) -> None:
    install(tmp_path, CODE)
    root = str(Path(atota.__file__).parents[1])
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([root, str(tmp_path)])}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=env, capture_output=True, text=True, check=True, cwd=tmp_path
    )
    apis, platform = done.stdout.split(") ")
    assert (apis.startswith("('generic'"), apis.endswith("'mine'")) == (True, True)
    assert platform == "atota_mine https://mine.test 7.0\n"


def access() -> Access:
    return Access(server="https://ota.test", clock=SimulatedClock(), access_key="a2V5", product_id="1")


def test_the_built_in_api_is_the_default() -> None:
    assert DEFAULT in names()
    with open_platform(DEFAULT, access()) as platform:
        assert platform.server == "https://ota.test"


def test_an_unknown_name_is_a_usage_error_that_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match="'nothing' is not a platform API") as caught:
        open_platform("nothing", access())
    assert "generic" in caught.value.hint


@pytest.mark.parametrize(
    ("code", "target"),
    [
        ("raise RuntimeError('broken')", "atota_mine:open_mine"),
        ("", "atota_mine:open_mine"),
        ("", "atota_mine_lost:x"),
    ],
)
def test_a_broken_package_is_a_configuration_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, target: str
) -> None:
    install(tmp_path, code, target)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "atota_mine", raising=False)
    assert names()[-1] == "mine"
    with pytest.raises(ConfigError, match="'mine'"):
        open_platform("mine", access())
    sys.modules.pop("atota_mine", None)


@pytest.mark.parametrize("missing", ["access_key", "product_id"])
def test_a_missing_credential_is_a_usage_error(missing: str) -> None:
    fields = {"server": "https://ota.test", "access_key": "a2V5", "product_id": "1"}
    with pytest.raises(UsageError, match="missing"):
        open_platform("generic", Access(clock=SimulatedClock(), **{**fields, missing: None}))  # type: ignore[arg-type]


def test_an_access_shows_no_secret() -> None:
    assert "a2V5" not in repr(access())


HOSTS = {
    "generic": "https://ota.heclouds.com",
    "studio": "https://studio-ota.heclouds.com",
    "fuse": "https://iot-api.heclouds.com",
}


@pytest.mark.parametrize(("api", "host"), HOSTS.items())
def test_an_api_and_its_own_server_choose_each_other(api: str, host: str) -> None:
    assert chosen(api, None) == (api, host)
    assert chosen(None, host) == (api, host)
    assert chosen(api, f"{host}:443") == (api, f"{host}:443")
    assert chosen(None, host.replace("https", "http")) == (api, host.replace("https", "http"))
    assert chosen(None, f"{host.upper()}.")[0] == api, "the case and the root's dot make no other host"


def test_any_other_server_speaks_the_api_that_is_named_else_generic() -> None:
    assert chosen(None, None) == ("generic", HOSTS["generic"])
    assert chosen(None, "http://127.0.0.1:8080") == ("generic", "http://127.0.0.1:8080")
    for api in HOSTS:
        assert chosen(api, "http://127.0.0.1:8080") == (api, "http://127.0.0.1:8080")


@pytest.mark.parametrize(("api", "of"), [(one, other) for one in HOSTS for other in HOSTS if one != other])
def test_a_host_of_another_api_is_wrong_usage_with_the_right_pairs(api: str, of: str) -> None:
    with pytest.raises(UsageError, match=f"speaks the API {of}, not {api}") as caught:
        chosen(api, HOSTS[of])
    assert caught.value.hint == (
        f"Give --api {of} --server {HOSTS[of]}, or --api {api} --server {HOSTS[api]}."
    )


def test_an_unknown_api_is_wrong_usage_whatever_the_server() -> None:
    for server in (None, "http://127.0.0.1:1", HOSTS["fuse"]):
        with pytest.raises(UsageError, match="'fuze' is not a platform API"):
            chosen("fuze", server)
    with pytest.raises(UsageError, match="not an address"):
        chosen("fuse", "a b")


def test_an_api_of_another_package_needs_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, CODE)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert chosen("mine", "https://mine.test") == ("mine", "https://mine.test")
    with pytest.raises(UsageError, match="no server of its own") as caught:
        chosen("mine", None)
    assert "--server" in caught.value.hint
