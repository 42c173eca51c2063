"""atota config and atota cache: where things lie, what counts, what is removed."""

import json
import os
import re
import time
from pathlib import Path

import pytest

from atota.clock import SystemClock
from atota.ota.cache import Cache
from atota.settings.resolve import load_user_config
from atota.settings.table import in_config, rows
from atota.transcript.kept import prune
from atota.values import Digests
from tests.cli.running import KEY, PACKAGE, Bench, Cli

DAY_S = 86_400


def test_every_variable_is_shown_with_its_value_and_origin(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "config" / "atota").mkdir(parents=True)
    (tmp_path / "config" / "atota" / "config.toml").write_text('product_id = "1000"\n')
    board = tmp_path / "b.toml"
    board.write_text('name = "b"\n[limits]\nreboot_timeout_s = 300\n')
    given = {"ATOTA_ACCESS_KEY": KEY, "ATOTA_BOARD": str(board), "ATOTA_SERVER": "http://127.0.0.1:9"}
    ran = cli("config", "--timeout", "5", "--json", **given)
    shown = {one["setting"]: (one["value"], one["origin"]) for one in ran.result["variables"]}
    assert shown["access_key"] == ("(secret)", "ATOTA_ACCESS_KEY")
    assert shown["server"] == ("http://127.0.0.1:9", "ATOTA_SERVER")
    assert shown["timeout_s"] == ("5.0", "--timeout")
    assert shown["product_id"] == ("1000", "user config")
    assert shown["reboot_timeout_s"] == ("300.0", "board b")
    assert shown["auth_method"] == ("sha256", "built-in")
    assert shown["port"] == (None, None)
    names = " ".join(one["variable"] for one in ran.result["variables"])
    assert {row.variable for row in rows().values() if row.variable} < set(names.split())
    page = cli("config", **given).out
    assert re.search(r"ATOTA_SERVER +http://127.0.0.1:9 +ATOTA_SERVER", page)
    assert KEY not in page


def test_init_writes_every_key_commented_out_and_never_over_a_file(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "config" / "atota" / "config.toml"
    assert cli("config", "init", "--json").result["path"] == str(file)
    text = file.read_text()
    assert [line for line in text.splitlines() if line and not line.startswith("#")] == []
    assert cli("config").code == 0
    again = cli("config", "init", "--json")
    assert (again.code, again.result["outcome"]) == (3, "bad-config")
    assert str(file) in again.result["error"]["message"]
    assert file.read_text() == text


def test_each_key_of_the_file_of_init_is_right_once_it_is_set(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    assert cli("config", "init", ATOTA_CONFIG=str(file)).code == 0
    keys = re.findall(r"^# (\w+) = ", file.read_text(), re.MULTILINE)
    assert keys == list(in_config())
    file.write_text(re.sub(r"^# (\w+ = )", r"\1", file.read_text(), flags=re.MULTILINE))
    values = load_user_config({"ATOTA_CONFIG": str(file)})
    assert values.keys() == {row.name for row in in_config().values()}


@pytest.mark.parametrize("words", [("identify", "-p", "sim://BC28"), ("config",), ("cache", "list")])
def test_an_unknown_variable_is_warned_of_by_every_command_that_reads_settings(
    cli: Cli, words: tuple[str, ...]
) -> None:
    ran = cli(*words, ATOTA_BAUDS="9600")
    assert ran.code == 0
    assert "warning: the variable ATOTA_BAUDS is unknown; did you mean ATOTA_BAUD" in ran.err
    assert "ATOTA_BAUDS" not in cli(*words, ATOTA_BAUD="9600").err


@pytest.mark.parametrize("how", ["option", "variable", "file"])
def test_the_cache_option_names_the_folder_of_packages(
    cli: Cli, bench: Bench, tmp_path: Path, how: str
) -> None:
    folder, env, words = tmp_path / "packages", {"ATOTA_ACCESS_KEY": KEY}, [*bench.asking]
    if how == "option":
        words += ["--cache", str(folder)]
    elif how == "variable":
        env["ATOTA_CACHE"] = str(folder)
    else:
        (tmp_path / "c.toml").write_text('cache = "packages"\n')
        env["ATOTA_CONFIG"] = str(tmp_path / "c.toml")
    assert cli("download", "-p", "sim://BC28", *words, **env).code == 0
    assert [path.name for path in folder.glob("*.pkg")] == [f"{Digests.of(PACKAGE).md5}-{len(PACKAGE)}.pkg"]
    assert not (tmp_path / "cache").exists()
    assert cli("update", "-p", "sim://BC28", "--yes", *words, **env).code == 0
    assert not (tmp_path / "cache").exists()


def _cached(folder: Path, data: bytes, *, age_days: float = 0.0, ending: str = "pkg") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    digests = Digests.of(data)
    path = folder / f"{digests.md5}-{digests.size}.{ending}"
    path.write_bytes(data if ending == "pkg" else data[: len(data) // 2])
    at = time.time() - age_days * DAY_S
    os.utime(path, (at, at))
    return path


def test_the_cache_lists_whole_and_begun_packages_the_newest_first(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "c"
    whole = _cached(folder, b"a" * 2000, age_days=2)
    part = _cached(folder, b"b" * 1000, ending="part")
    ran = cli("cache", "list", "--cache", folder)
    assert [line.split()[:3] for line in ran.out.splitlines()[1:]] == [
        [part.name.partition("-")[0], "1,000", "50"],
        [whole.name.partition("-")[0], "2,000", "whole"],
    ]
    assert f"2 packages, 2,500 bytes in {folder}" in ran.err
    packages = cli("cache", "list", "--cache", folder, "--json").result["packages"]
    assert [(one["size"], one["done"], one["whole"]) for one in packages] == [
        (1000, 500, False),
        (2000, 2000, True),
    ]


def test_clean_removes_what_is_old_enough_and_nothing_that_is_being_fetched(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "c"
    old, new = _cached(folder, b"a" * 10, age_days=8), _cached(folder, b"b" * 20)
    other = folder / "notes.txt"
    other.write_text("mine")
    assert cli("cache", "clean", "--older-than", "7", "--cache", folder, "--json").result["bytes"] == 10
    assert (old.exists(), new.exists()) == (False, True)
    with Cache(folder).entry(Digests.of(b"b" * 20).md5, 20).held(SystemClock()):
        ran = cli("cache", "clean", "--cache", folder, "--json")
        assert [one["size"] for one in ran.result["held"]] == [20]
        assert new.exists()
    assert "1 package removed" in cli("cache", "clean", "--cache", folder).err
    assert (new.exists(), other.exists()) == (False, True)


def test_an_empty_cache_is_no_trouble(cli: Cli, tmp_path: Path) -> None:
    for command in ("list", "clean"):
        ran = cli("cache", command, "--cache", tmp_path / "none")
        assert (ran.code, ran.out) == (0, "")
        assert "0 packages" in ran.err


def _transcript(folder: Path, name: str, *, size: int, age_days: float, now: float) -> Path:
    folder.mkdir(exist_ok=True, parents=True)
    path = folder / f"{name}.transcript"
    path.write_bytes(b"x" * size)
    os.utime(path, (now - age_days * DAY_S,) * 2)
    return path


def test_transcripts_are_pruned_by_age_and_by_size_the_oldest_first(tmp_path: Path) -> None:
    now = 1_800_000_000.0
    make = [("a", 10, 91), ("b", 600_000, 3), ("c", 600_000, 2), ("d", 300_000, 1)]
    paths = [_transcript(tmp_path, name, size=size, age_days=age, now=now) for name, size, age in make]
    mine = tmp_path / "notes.txt"
    mine.write_text("mine")
    assert prune(tmp_path, now=now, days=90, megabytes=1) == paths[:2]
    assert prune(tmp_path, now=now, days=90, megabytes=0, present=paths[3]) == [paths[2]]
    assert (paths[3].exists(), mine.exists()) == (True, True)


def test_a_job_prunes_the_transcripts_of_long_ago(cli: Cli, package: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "atota" / "transcripts"
    old = _transcript(folder, "old", size=5, age_days=8, now=time.time())
    recent = _transcript(folder, "recent", size=5, age_days=6, now=time.time())
    words = ("flash", package, "--md5", Digests.of(PACKAGE).md5, "--target", "BC28JAR01A05", "--yes")
    ran = cli(*words, "-p", "sim://BC28?fault=refuse-start", "--json", ATOTA_TRANSCRIPTS_DAYS="7")
    assert ran.code == 9
    left = {path.name for path in folder.iterdir()}
    assert old.name not in left
    assert {recent.name, Path(json.loads(ran.out.splitlines()[-1])["transcript"]).name} == left
