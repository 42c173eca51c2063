"""The station file: every key of the contract is taken, and every mistake is named."""

from pathlib import Path

import pytest

from atota.errors import ConfigError
from atota.station.config import host_and_port, load_station

FULL = """
name = "line-2-bench-7"
language = "zh"
[page]
listen = "127.0.0.1:0"
[work]
command = "update"
batch = "B-2026-118"
quota = 5000
max_active = 4
hard_limit_s = 900
[devices]
device_name = "{imei}"
[scan]
serial = "required"
pattern = '^SN\\d{9}$'
operator = '^OP:(\\w+)$'
lane = '^LANE:(\\d{2})$'
reader = "/dev/serial/by-id/scanner"
[stop]
failures_lane = 3
failures_station = 6
min_free_mb = 500
golden_every_h = 8
golden = ["490154203237518"]
[label]
template = "unit.zpl"
printer = "tcp://10.0.0.9:9100"
on = "pass"
[hooks]
record = ["program", "--option"]
[line]
url = "https://line.factory:8443"
key_file = "key"
[[lane]]
number = 1
path = "usb-0:1.2.1:1.0-port0"
[[lane]]
number = 2
port = "/dev/ttyUSB7"
"""
LEAST = 'name = "x"\n[[lane]]\nnumber = 1\nport = "/dev/ttyS0"\n'


def write(folder: Path, text: str) -> Path:
    path = folder / "station.toml"
    path.write_text(text, encoding="utf-8")
    return path


def problem(folder: Path, text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load_station(write(folder, text))
    return caught.value


def test_every_key_of_the_contract_is_taken(tmp_path: Path) -> None:
    (tmp_path / "unit.zpl").write_text("^XA^XZ")
    file = load_station(write(tmp_path, FULL)).file
    assert (file.name, file.language, file.work.quota) == ("line-2-bench-7", "zh", 5000)
    assert (file.scan.serial, file.stop.golden_every_h) == ("required", 8)
    assert file.label is not None
    assert file.line is not None
    assert [lane.key for lane in file.lane] == ["usb-0:1.2.1:1.0-port0", "/dev/ttyUSB7"]


def test_an_unknown_key_is_named_with_the_near_one(tmp_path: Path) -> None:
    error = problem(tmp_path, LEAST.replace("[[lane]]", "[work]\nquotas = 3\n[[lane]]"))
    assert "unknown field `quotas` - at `$.work`" in error.message
    assert "quota" in error.hint.split(".")[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (LEAST + '[[lane]]\nnumber = 2\nport = "/dev/ttyS0"\n', "lanes 1 and 2 have one place: /dev/ttyS0"),
        (LEAST + '[[lane]]\nnumber = 1\nport = "/dev/ttyS1"\n', "two lanes have the number 1"),
        (LEAST + '[[lane]]\nnumber = 2\n', "lane 2 needs either `path` or `port`"),
        ('name = "x"\nlane = []\n', "length >= 1"),
        (LEAST + '[work]\ncommand = "flash"\n', "needs `package`"),
        (LEAST + '[work]\ntarget = "V2"\n', 'belongs to command = "flash"'),
        (LEAST + "[work]\nquota = 5\n", "so it needs `batch`"),
        (LEAST + '[devices]\ndevice_name = "{mac}"\n', "its fields are {imei} and {serial}"),
        (LEAST + '[scan]\nserial = "required"\n', "needs `pattern`"),
        (LEAST + "[scan]\npattern = '['\n", "is not a regular expression"),
        (LEAST + '[page]\nlisten = "8765"\n', "expected HOST:PORT"),
        (LEAST + '[label]\ntemplate = "no.zpl"\nprinter = "tcp://x:9100"\n', "no.zpl: No such file"),
        (LEAST + '[label]\ntemplate = "no.zpl"\nprinter = "http://x"\n', "expected tcp://HOST:PORT"),
        (LEAST + "[stop]\ngolden_every_h = 8\n", "needs `golden`"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place(tmp_path: Path, text: str, expected: str) -> None:
    error = problem(tmp_path, text)
    assert expected in error.message
    assert "station.toml" in error.message
    assert error.exit_code == 3


def test_a_package_that_is_missing_is_told_before_any_lane_starts(tmp_path: Path) -> None:
    work = f'[work]\ncommand = "flash"\npackage = "new.bin"\nmd5 = "{"0" * 32}"\ntarget = "V2"\n'
    assert "new.bin: No such file" in problem(tmp_path, LEAST + work).message


def test_simulated_lanes_may_share_a_url(tmp_path: Path) -> None:
    text = 'name = "x"\n' + "".join(f'[[lane]]\nnumber = {n}\nport = "sim://BC28"\n' for n in (1, 2))
    assert len(load_station(write(tmp_path, text)).file.lane) == 2


def test_an_address_has_a_host_and_a_port() -> None:
    assert host_and_port("127.0.0.1:0") == ("127.0.0.1", 0)
    assert host_and_port("[::1]:8765") == ("::1", 8765)
    with pytest.raises(ValueError, match="expected HOST:PORT"):
        host_and_port("127.0.0.1:99999")
