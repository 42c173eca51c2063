"""`--api`: every command that names a platform, with the newer APIs of OneNET over real HTTP."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.running import BASE, PACKAGE, TARGET, Cli
from tests.ota.path_server import CANCELLED, DEVICE, DONE, FAILED, KEY, NAME, PRODUCT, PathServer, serving

ENV = {"ATOTA_ACCESS_KEY": KEY}
DEVICE_WORDS = ("--product-id", PRODUCT, "--device-name", NAME)
APIS = ["fuse", "studio"]


class Served:
    """A platform on a port, and the options that ask it."""

    def __init__(self, server: PathServer, url: str) -> None:
        self.server = server
        self.words = ("--api", server.api, "--server", url, *DEVICE_WORDS)
        self.url = url


@pytest.fixture(params=APIS)
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    server = PathServer(request.param, PACKAGE, TARGET)
    with serving(server) as url:
        yield Served(server, url)


def test_an_update_ends_updated_and_the_task_done(cli: Cli, served: Served) -> None:
    ran = cli("update", "-p", "sim://BC28", *served.words, "--json", **ENV)
    assert (ran.code, ran.result["outcome"]) == (0, "updated"), ran.err
    assert (ran.result["version_before"], ran.result["version_after"]) == (BASE, TARGET)
    assert (served.server.state, [step for step in served.server.steps if step >= 100]) == (DONE, [101, 201])
    assert served.server.versions["f_version"] == TARGET
    task = ran.result["task"]
    assert (task["api"], task["dev_id"], task["server"]) == (served.server.api, DEVICE, served.url)
    assert KEY not in ran.out + ran.err
    again = cli("update", "-p", "sim://BC28", *served.words, "--json", "--detailed-exit-code", **ENV)
    assert (again.code, again.result["outcome"]) == (10, "no-task")


def test_check_and_download_need_no_module_and_no_model(cli: Cli, served: Served, tmp_path: Path) -> None:
    words = (*served.words, "--fw-version", BASE)
    ran = cli("check", *words, "--json", **ENV)
    assert (ran.code, ran.result["outcome"], ran.result["task"]["target"]) == (0, "task", TARGET)
    page = cli("check", *words, **ENV).out
    assert "完整包 (full, data.type 1)" in page
    assert "conditions" not in page
    output = tmp_path / "p.bin"
    assert cli("download", *words, "-o", output, "--json", **ENV).code == 0
    assert output.read_bytes() == PACKAGE


def test_doctor_asks_if_the_device_is_known_and_changes_nothing(cli: Cli, served: Served) -> None:
    served.server.versions = {"s_version": "APP1", "f_version": BASE}
    ran = cli("doctor", "-p", "sim://BC28", *served.words, "--json", **ENV)
    found = {f"{one['group']}/{one['check']}": one for one in ran.result["findings"]}
    assert found["platform/device"]["state"] == "ok"
    assert f"module {BASE}, application APP1" in found["platform/device"]["says"]
    assert [(one.method, one.path.rpartition("/")[2]) for one in served.server.requests] == [
        ("GET", "version")
    ]


def test_doctor_finds_a_key_of_another_level(cli: Cli, served: Served) -> None:
    ran = cli("doctor", "-p", "sim://BC28", *served.words, "--key-level", "product", "--json", **ENV)
    found = {f"{one['group']}/{one['check']}": one for one in ran.result["findings"]}
    assert found["platform/device"]["state"] == "bad"
    assert found["platform/device"]["next"]
    assert ran.code == 8


def test_a_report_that_waits_names_its_api_and_goes_to_no_other(
    cli: Cli, served: Served, tmp_path: Path
) -> None:
    server, env = served.server, {**ENV, "ATOTA_JOURNAL": str(tmp_path / "journal.sqlite3")}
    server.is_busy = True
    ran = cli("update", "-p", "sim://BC28", *served.words, "--json", **env)
    assert (ran.code, ran.result["outcome"]) == (14, "updated-unreported"), ran.err
    server.is_busy = False
    listed = cli("report", "--json", **env).result
    assert [(one["api"], one["dev_id"]) for one in listed["reports"]] == [(server.api, DEVICE)]
    other = {"fuse": "studio", "studio": "fuse"}[server.api]
    wrong = cli("report", "--pending", "--api", other, "--server", served.url, *DEVICE_WORDS, **env)
    assert (wrong.code, "--api" in wrong.err) == (2, True)
    assert cli("report", "--pending", *served.words, **env).code == 0
    assert server.versions["f_version"] == TARGET


@pytest.mark.parametrize("state", [CANCELLED, FAILED])
def test_a_task_that_is_over_is_no_task(cli: Cli, served: Served, state: int) -> None:
    served.server.state = state
    assert cli("update", "-p", "sim://BC28", *served.words, "--json", **ENV).result["outcome"] == "no-task"
    assert served.server.steps == []


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (
            ("--api", "fuse", "--server", "ota.heclouds.com", *DEVICE_WORDS),
            "speaks the API generic, not fuse",
            "--api fuse --server https://iot-api.heclouds.com",
        ),
        (("--api", "fuse", "--product-id", PRODUCT), "device's name is missing", "--device-name"),
        (("--api", "studio", "--device-name", NAME), "product id is missing", "--product-id"),
        (("--api", "generic", "--product-id", PRODUCT), "device id is missing", "--dev-id"),
        (("--api", "fuze", *DEVICE_WORDS), "'fuze' is not a platform API", "fuse"),
        (("--api", "fuse", "--product-id", PRODUCT, "--device-name", "a b"), "not a device name", "console"),
        (("--api", "fuse", *DEVICE_WORDS, "--key-level", "user"), "user id is missing", "--user-id"),
        (("--api", "fuse", *DEVICE_WORDS, "--auth-ttl", "315360001"), "--auth-ttl", "--help"),
    ],
)
@pytest.mark.parametrize("command", ["update", "check", "download"])
def test_a_wrong_platform_is_said_before_a_port_is_opened(
    cli: Cli, command: str, words: tuple[str, ...], message: str, hint: str
) -> None:
    ran = cli(command, "-p", "/no/such/port", *words, **ENV)
    assert ran.code == 2, ran.err
    text = " ".join(ran.err.split())
    assert message in text
    assert hint in text


def test_the_environment_a_board_and_the_user_configuration_name_the_api(cli: Cli, tmp_path: Path) -> None:
    dry = ("check", "--dry-run", "--json", "--fw-version", "V1", *DEVICE_WORDS)

    def url(*words: str, **env: str) -> str:
        ran = cli(*dry, *words, **ENV, **env)
        assert ran.code == 0, ran.err
        return str(ran.result["request"]["url"]).partition("?")[0]

    fuse = f"https://iot-api.heclouds.com/fuse-ota/{DEVICE}/check"
    studio = f"https://studio-ota.heclouds.com/ota/{DEVICE}/check"
    assert url("--server", "iot-api.heclouds.com") == fuse
    assert url(ATOTA_API="fuse") == fuse
    assert url("--api", "STUDIO", ATOTA_API="fuse") == studio
    board = tmp_path / "b.toml"
    board.write_text('name = "b"\n[ota]\napi = "fuse"\n')
    assert url("--board", str(board)) == fuse
    config = tmp_path / "config" / "atota" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text('api = "studio"\n')
    assert url() == studio
    assert url("--board", str(board)) == fuse
