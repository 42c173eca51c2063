"""Settings as they reach a command: precedence, board files, servers and keys, each wrong in its own way."""

from pathlib import Path

import pytest

from tests.cli.running import KEY, Bench, Cli, Ran

DRY = ("check", "--dry-run", "--json", "--model", "BC28", "--fw-version", "V1", "--product-id", "1000")
ENV = {"ATOTA_ACCESS_KEY": KEY}


def url(ran: Ran) -> str:
    assert ran.code == 0, ran.err
    return str(ran.result["request"]["url"])


def test_option_goes_before_environment_before_board_before_user_config(cli: Cli, tmp_path: Path) -> None:
    board = tmp_path / "b.toml"
    board.write_text('name = "b"\n[ota]\nserver = "https://board.example"\ndev_id = "3"\n')
    config = tmp_path / "config" / "atota" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text('server = "https://config.example"\ndev_id = "4"\n')
    words, env = (*DRY, "--board", str(board)), ENV | {"ATOTA_SERVER": "env.example", "ATOTA_DEV_ID": "2"}
    assert url(cli(*words, "--server", "option.example", "--dev-id", "1", **env)).startswith(
        "https://option.example/ota/south/check?dev_id=1&"
    )
    assert url(cli(*words, **env)).startswith("https://env.example/ota/south/check?dev_id=2&")
    assert url(cli(*words, **ENV)).startswith("https://board.example/ota/south/check?dev_id=3&")
    assert url(cli(*DRY, **ENV)).startswith("https://config.example/ota/south/check?dev_id=4&")
    assert url(cli(*DRY, **ENV, ATOTA_BOARD=str(board))).startswith("https://board.example/")
    config.unlink()
    assert url(cli(*DRY, "--dev-id", "1", **ENV)).startswith("https://ota.heclouds.com/")


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("ATOTA_BAUD", "fast", "ATOTA_BAUD"),
        ("ATOTA_SERVER", "ftp://x.example", "ATOTA_SERVER"),
        ("ATOTA_FW_VERSION", "has blank", "ATOTA_FW_VERSION"),
        ("ATOTA_TIMEOUT", "-1", "ATOTA_TIMEOUT"),
    ],
)
def test_a_wrong_variable_is_named(cli: Cli, name: str, value: str, shown: str) -> None:
    ran = cli("identify", "-p", "sim://BC28", **{name: value})
    assert ran.code == 2
    assert shown in ran.err


def test_a_server_without_scheme_is_https_and_http_must_be_named(cli: Cli) -> None:
    words = (*DRY, "--dev-id", "1", "--server")
    assert url(cli(*words, "ota.example:8443", **ENV)).startswith("https://ota.example:8443/")
    assert url(cli(*words, "http://ota.example", **ENV)).startswith("http://ota.example/")
    assert "plain http" in cli(*words, "http://ota.example", **ENV).err
    assert "plain http" not in cli(*words, "http://127.0.0.1:8080", **ENV).err


def test_a_typo_in_a_board_file_is_told_with_its_place(cli: Cli, tmp_path: Path) -> None:
    board = tmp_path / "b.toml"
    board.write_text('name = "b"\n[limits]\ntimout_s = 5\n')
    ran = cli("identify", "-p", "sim://BC28", "--board", board, "--json")
    assert (ran.code, ran.result["outcome"]) == (3, "bad-config")
    message = ran.result["error"]["message"]
    assert message.startswith(f"{board}: ")
    assert "unknown field `timout_s`" in message
    assert "- at `$.limits`" in message


def test_a_board_file_gives_its_settings_to_the_module(cli: Cli, tmp_path: Path) -> None:
    board = tmp_path / "b.toml"
    board.write_text('name = "b"\nmodel = "M5310-A"\n')
    ran = cli("identify", "-p", "sim://BC28", "--board", board, "--json")
    assert (ran.code, ran.result["outcome"]) == (6, "refused")


def test_without_a_key_nothing_is_asked_of_module_or_platform(cli: Cli, bench: Bench) -> None:
    ran = cli("update", "-p", "/dev/no-such-port", *bench.asking, "--json")
    assert (ran.code, ran.result["outcome"]) == (2, "usage")
    assert "access key" in ran.result["error"]["message"]
    assert "ATOTA_ACCESS_KEY" in ran.result["error"]["hint"]
    assert bench.server.lines == []


@pytest.mark.parametrize("key", ["not base64!", "%%%", "abc"])
def test_a_key_that_is_not_base64_is_refused_and_not_repeated(cli: Cli, bench: Bench, key: str) -> None:
    ran = cli("update", "-p", "sim://BC28", *bench.asking, "--json", ATOTA_ACCESS_KEY=key)
    assert ran.code in (2, 3)
    assert "base64" in ran.result["error"]["message"]
    assert key not in ran.out + ran.err
    assert bench.server.lines == []


def test_a_key_file_is_read_and_a_missing_one_is_a_wrong_file(cli: Cli, bench: Bench, tmp_path: Path) -> None:
    file = tmp_path / "key"
    words = ("check", "-p", "sim://BC28", *bench.asking, "--json", "--access-key-file", file)
    missing = cli(*words)
    assert (missing.code, missing.result["outcome"]) == (3, "bad-config")
    assert str(file) in missing.result["error"]["message"]
    file.write_text(KEY + "\n")
    assert cli(*words).result["outcome"] == "task"


def test_a_device_id_or_product_id_that_is_missing_is_asked_for(cli: Cli) -> None:
    for command in ("check", "download", "update"):
        for given, missing in (("--product-id", "--dev-id"), ("--dev-id", "--product-id")):
            ran = cli(command, "-p", "sim://BC28", "--server", "x.example", given, "1", "--json", **ENV)
            assert (ran.code, ran.result["outcome"]) == (2, "usage"), (command, missing)
            assert missing in ran.result["error"]["hint"]


def test_without_a_port_the_model_and_version_must_be_given(cli: Cli) -> None:
    ran = cli("check", "--dev-id", "1", "--product-id", "1", "--server", "x.example", "--json", **ENV)
    assert ran.code == 2
    assert "--model" in ran.result["error"]["hint"]
    near = cli(*DRY[:4], "BC82", "--fw-version", "V1", "--product-id", "1", "--dev-id", "1", **ENV)
    assert near.code == 2
    assert "BC28" in near.err


@pytest.mark.parametrize("version", ["", "x" * 21, "a b", "größe"])
def test_a_version_that_cannot_be_sent_is_refused_before_sending(
    cli: Cli, bench: Bench, version: str
) -> None:
    ran = cli("check", "--model", "BC28", "--fw-version", version, *bench.asking, "--json", **ENV)
    assert (ran.code, ran.result["outcome"]) == (2, "usage")
    assert bench.server.lines == []


def test_verbose_says_where_each_setting_comes_from_and_no_secret(cli: Cli) -> None:
    ran = cli(*DRY, "--dev-id", "1", "-v", **ENV)
    assert "dev_id: 1 (--dev-id)" in ran.err
    assert "auth_method: sha256 (built-in)" in ran.err
    assert KEY not in ran.err + ran.out


def test_a_header_made_elsewhere_is_sent_and_not_shown(cli: Cli) -> None:
    header = "version=2018-10-31&res=products%2F1000&et=99&method=md5&sign=c2lnbmVkYnlzb21lb25l"
    ran = cli(*DRY, "--dev-id", "1", ATOTA_AUTHORIZATION=header)
    assert ran.code == 0
    assert "c2lnbmVkYnlzb21lb25l" not in ran.out + ran.err


def test_a_transcript_holds_both_ways(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "t.txt"
    assert cli("identify", "-p", "sim://BC28", "--transcript", file).code == 0
    text = file.read_text()
    assert "> AT+CGMR" in text
    assert "< " in text
    talk = cli("identify", "-p", "sim://BC28", "-vv")
    assert "> AT+CGMR" in talk.err
    assert "AT+CGMR" not in talk.out
