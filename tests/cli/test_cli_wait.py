"""A module in the middle of an update of its own: told, left alone, and waited for with --wait."""

import json

import pytest

from tests.cli.running import Cli

UPDATING = "sim://EC21?fault=resumed-update"


@pytest.mark.parametrize("command", ["identify", "doctor"])
def test_it_is_told_that_the_module_updates_itself(cli: Cli, command: str) -> None:
    ran = cli(command, "-p", UPDATING)
    assert ran.code == 5
    said = " ".join((ran.out + ran.err).split())
    assert "updating itself" in said
    assert "Leave it powered" in said
    assert '"FOTA","' in said
    assert "reset" not in said.lower()


@pytest.mark.parametrize("command", ["identify", "doctor"])
def test_the_end_of_it_is_waited_for_with_progress(cli: Cli, command: str) -> None:
    ran = cli(command, "-p", UPDATING, "--wait", "--json")
    lines = [json.loads(line) for line in ran.out.splitlines()]
    assert ran.code == 0
    progress = [line for line in lines if line["event"] == "progress"]
    assert len(progress) > 5
    assert {line["stage"] for line in progress} == {"self-update"}
    assert [line["done"] for line in progress] == sorted(line["done"] for line in progress)
    assert lines[-1]["event"] == "result"
    assert "EC21" in json.dumps(lines[-1])
