"""A board means the same on the command line and in Python: one resolution for both."""

from pathlib import Path

import pytest

from atota.module.module import open_module
from atota.settings.board import Board, Serial, decode_board, load_board
from atota.settings.resolve import load_settings, resolve
from atota.settings.spec import Allowed, JobSpec, completed, job_spec
from atota.update.job import Job
from tests.cli.running import Cli

WHOLE = """
name = "b"
model = "BC28"
dialect = "quectel-hi2115"
[serial]
baud = 57600
transfer_baud = 0
[ota]
server = "ota.example:8443"
dev_id = "6523"
type = "sota"
fw_version = "V1"
vendor_package = true
[limits]
timeout_s = 900
reboot_timeout_s = 60
[accept]
downgrade = true
"""


def test_a_spec_with_a_board_is_the_spec_of_the_command_line() -> None:
    board = decode_board(WHOLE, name="b")
    from_options = job_spec(resolve({}, {}, board, {}), board, port="sim://BC28")
    assert completed(JobSpec(port="sim://BC28", board=board)) == from_options
    assert from_options.first_baud == 57600
    assert from_options.allowed == Allowed(downgrade=True, vendor_package=True)


def test_to_complete_a_spec_twice_changes_nothing() -> None:
    board = decode_board(WHOLE, name="b")
    for spec in (
        JobSpec(port="p"),
        JobSpec(port="p", board=board),
        JobSpec(port="p", board=board, baud=9600, dev_id="1", transfer_baud=115200, timeout_s=1.0),
        job_spec(resolve({"timeout_s": "5"}, {}, board, {"dev_id": "4"}), board, port="p"),
    ):
        once = completed(spec)
        assert completed(once) == once


def test_what_a_spec_says_goes_before_its_board() -> None:
    board = decode_board(WHOLE, name="b")
    spec = completed(JobSpec(port="p", board=board, model="BC95-B8", transfer_baud=115200, task_type="fota"))
    assert (spec.model, spec.transfer_baud, spec.task_type, spec.dialect) == (
        "BC95-B8", 115200, "fota", "quectel-hi2115",
    )  # fmt: skip


def test_every_setting_of_a_job_reaches_its_spec() -> None:
    options = {
        "baud": "9600", "block": "512", "cdn": True, "expect_version": "V2", "serve_url": "http://h:1",
        "resume": "r1", "verify": "read-back", "any_base": True, "allow_unproven": True,
        "transcript": "t.txt", "task_type": "SOTA",
    }  # fmt: skip
    spec = job_spec(resolve(options, {}, None, {}), None, port="p", register=True)
    assert spec == JobSpec(
        port="p",
        baud=9600,
        block=512,
        cdn=True,
        expect_version="V2",
        serve_url="http://h:1",
        resume="r1",
        read_back=True,
        allowed=Allowed(unproven=True, any_base=True),
        transcript=Path("t.txt"),
        task_type="sota",
        register=True,
    )


def test_the_files_that_the_settings_name_are_read(tmp_path: Path) -> None:
    (tmp_path / "b.toml").write_text(WHOLE)
    config = tmp_path / "config.toml"
    config.write_text('board = "b.toml"\nproduct_id = "9"\ndev_id = "9"\n')
    settings, board = load_settings({"fw_version": "V3"}, {"ATOTA_CONFIG": str(config)})
    assert board == load_board(tmp_path / "b.toml")
    origins = {name: settings.origin[name] for name in ("product_id", "dev_id", "fw_version", "server")}
    assert origins == {
        "product_id": "user config", "dev_id": "board b", "fw_version": "--fw-version", "server": "board b",
    }  # fmt: skip
    assert settings.server == "https://ota.example:8443"


# -- rates: a default begins the search, an order ends it ------------------------------------------

AT_115200 = "sim://BC28?baud=115200"


def board_at(tmp_path: Path, baud: int) -> Path:
    path = tmp_path / "b.toml"
    path.write_text(f'name = "b"\n[serial]\nbaud = {baud}\n')
    return path


def test_a_board_s_rate_begins_the_search_on_the_command_line(cli: Cli, tmp_path: Path) -> None:
    ran = cli("identify", "-p", AT_115200, "--board", board_at(tmp_path, 9600), "--json")
    assert (ran.code, ran.result["outcome"]) == (0, "done")
    assert ran.result["module"]["baud"] == 115200


def test_a_board_s_rate_begins_the_search_in_python(tmp_path: Path) -> None:
    board = load_board(board_at(tmp_path, 9600))
    with open_module(AT_115200, board=board) as module:
        assert module.session.link.baud == 9600
        assert module.identify().baud == 115200
    result = Job(JobSpec(port=AT_115200, board=board, dev_id="1")).run()
    assert result.outcome == "usage", "a job without a platform"


def test_the_user_s_own_rate_begins_the_search_after_the_board_s(cli: Cli, tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text("baud = 57600\n")
    ran = cli("identify", "-p", AT_115200, "--json", "-v", ATOTA_CONFIG=str(config))
    assert ran.result["module"]["baud"] == 115200
    assert "first_baud: 57600 (user config)" in ran.err
    both = cli(
        "identify", "-p", AT_115200, "--board", board_at(tmp_path, 9600), "-v", ATOTA_CONFIG=str(config)
    )
    assert "first_baud: 9600 (board b)" in both.err


@pytest.mark.parametrize(("words", "env"), [(("-b", "9600"), {}), ((), {"ATOTA_BAUD": "9600"})])
def test_a_rate_that_is_ordered_is_the_only_one(
    cli: Cli, tmp_path: Path, words: tuple[str, ...], env: dict[str, str]
) -> None:
    ran = cli("identify", "-p", AT_115200, "--board", board_at(tmp_path, 115200), *words, "--json", **env)
    assert (ran.code, ran.result["outcome"]) == (5, "no-answer")


def test_a_board_s_rate_is_the_first_of_the_link() -> None:
    board = Board(name="b", serial=Serial(baud=57600))
    with open_module("sim://BC28?baud=57600", board=board, baud=9600) as module:
        assert module.session.link.baud == 9600


def test_a_path_in_a_board_s_server_is_a_wrong_file_with_its_place(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "b.toml"
    path.write_text('name = "b"\n[ota]\nserver = "https://ota.example/south"\n')
    ran = cli("identify", "-p", "sim://BC28", "--board", path, "--json")
    assert (ran.code, ran.result["outcome"]) == (3, "bad-config")
    message = ran.result["error"]["message"]
    assert message.startswith(f"{path}: server: 'https://ota.example/south' has a path")
    assert message.endswith("- at `$.ota`")
