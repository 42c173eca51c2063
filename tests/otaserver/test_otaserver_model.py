import hashlib
from pathlib import Path

import pytest

from atota.errors import ConfigError
from atota.otaserver.model import Auth, Device, TasksFile, TaskSpec, build, load

KEY = "ZmFrZSBrZXkgb2YgYSB0ZXN0"  # "fake key of a test"

GOOD = f"""
[auth]
product_id = "123123"
access_key = "{KEY}"

[[device]]
dev_id = "6523"
name = "line1"
imei = "490154203237518"
key = "{KEY}"
f_version = "V1.0"

[[task]]
dev_id = "6523"
type = "fota"
manuf = "001"
model = "00107"
package = "app.bin"
target = "V2.0"
kind = "delta"
base = "V1.0"
signal = 10
power = 50
retry = 3
interval = 600

[[task]]
dev_id = "*"
type = "sota"
manuf = "100"
model = "10001"
package = "app.bin"
target = "2"
"""


def folder(tmp_path: Path, text: str, **files: bytes) -> Path:
    (tmp_path / "tasks.toml").write_text(text, encoding="utf-8")
    for name, data in {"app.bin": b"package", **files}.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


def test_a_folder_loads_with_sizes_and_digests_of_its_packages(tmp_path: Path) -> None:
    config = load(folder(tmp_path, GOOD))

    package = config.packages["app.bin"]
    assert package.digests.size == 7
    assert package.digests.md5 == hashlib.md5(b"package").hexdigest()
    assert config.auth_required
    assert config.keys.product_key == b"fake key of a test"
    assert config.keys.device_keys == {"line1": b"fake key of a test"}
    assert [task.dev_id for task in config.tasks] == ["6523", "*"]


def test_an_unknown_key_is_told_with_file_and_place(tmp_path: Path) -> None:
    key_path = folder(tmp_path, GOOD.replace("retry = 3", "retri = 3"))
    with pytest.raises(ConfigError) as caught:
        load(key_path)
    assert str(caught.value) == (
        f"{key_path / 'tasks.toml'}: Object contains unknown field `retri` - at `$.task[0]`"
    )


def test_the_key_may_come_from_the_environment(tmp_path: Path) -> None:
    text = GOOD.replace(f'access_key = "{KEY}"', 'access_key_env = "SOME_KEY"')
    config = load(folder(tmp_path, text), environ={"SOME_KEY": KEY})
    assert config.keys.product_key == b"fake key of a test"
    with pytest.raises(ConfigError, match=r"environment has no SOME_KEY - at `\$\.auth\.access_key_env`"):
        load(tmp_path, environ={})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('product_id = "123123"', "", "`product_id` is needed"),
        (f'product_id = "123123"\naccess_key = "{KEY}"', 'product_id = "1"', "an access key is needed"),
        (f'access_key = "{KEY}"', 'access_key = "not base64!"', "not base64 - at `$.auth.access_key`"),
        (f'access_key = "{KEY}"', f'access_key = "{KEY}"\naccess_key_env = "X"', "not both"),
        ('package = "app.bin"', 'package = "gone.bin"', "package `gone.bin`: No such file"),
        ('package = "app.bin"', 'package = "../app.bin"', "not a file inside the folder"),
        ('package = "app.bin"', 'package = "/etc/passwd"', "not a file inside the folder"),
        ('package = "app.bin"', 'package = "C:\\\\x"', "not a file inside the folder"),
        ('package = "app.bin"', 'package = "app\\u0000"', "embedded null byte - at `$.task[0].package`"),
        ('package = "app.bin"', 'package = "empty.bin"', "package `empty.bin` is empty"),
        ('target = "V2.0"', 'target = "V 2"', "takes no such version"),
        ('target = "V2.0"', f'target = "V2.0"\nsha256 = "{"0" * 64}"', "another SHA-256"),
        ('base = "V1.0"', "", "a delta needs `base`"),
        ('kind = "delta"', 'kind = "full"', '`base` is for `kind = "delta"`'),
        ('type = "fota"', 'type = "mota"', "Invalid enum value 'mota' - at `$.task[0].type`"),
        ("power = 50", "power = 101", "`int` <= 100 - at `$.task[0].power`"),
        ('manuf = "001"', "manuf = 1", "Expected `str | null`, got `int` - at `$.task[0].manuf`"),
        ('[[task]]\ndev_id = "6523"', '[[task]]\ndev_id = "6524"', "no [[device]] has dev_id `6524`"),
        ('dev_id = "*"\ntype = "sota"', 'dev_id = "6523"\ntype = "fota"', "has two fota tasks"),
        ("[[task]]", '[[device]]\ndev_id = "6523"\n[[task]]', "same dev_id - at `$.device[1].dev_id`"),
        ('name = "line1"', "", "a device with a key needs a name"),
        ("[auth]", "[auth", "tasks.toml: "),
        ("retry = 3", f"retry = {'9' * 5000}", "integer string conversion"),
        ("retry = 3", f"retry = {'[' * 2000}", "nested too deeply"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    key_path = folder(tmp_path, GOOD.replace(old, new, 1), **{"empty.bin": b""})
    with pytest.raises(ConfigError) as caught:
        load(key_path)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{key_path / 'tasks.toml'}: ")
    assert KEY not in str(caught.value)


def test_a_folder_without_tasks_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"tasks\.toml: No such file") as caught:
        load(tmp_path)
    assert "tasks.toml" in caught.value.hint


def test_a_file_that_is_not_text_is_a_config_error(tmp_path: Path) -> None:
    (tmp_path / "tasks.toml").write_bytes(b"[auth]\nproduct_id = '\xff'")
    with pytest.raises(ConfigError, match=r"tasks\.toml"):
        load(tmp_path)


def test_no_key_shows_in_a_repr(tmp_path: Path) -> None:
    config = load(folder(tmp_path, GOOD))
    tasks = TasksFile(auth=Auth(product_id="1", access_key=KEY), devices=(Device(dev_id="1", key=KEY),))
    for text in (repr(config), repr(tasks)):
        assert KEY not in text
        assert "fake key" not in text


def test_a_configuration_can_be_built_without_files() -> None:
    spec = TaskSpec(dev_id="*", manuf="001", model="00107", package="a", target="2")
    config = build(TasksFile(auth=Auth(required=False), tasks=(spec,)), {"a": b"bytes"})
    assert config.packages["a"].data == b"bytes"
    with pytest.raises(ConfigError, match=r"tasks\.toml: package `a` is missing"):
        build(TasksFile(auth=Auth(required=False), tasks=(spec,)), {})


BY_NAME = f"""
[auth]
product_id = "A1b2C3d4E5"
access_key = "{KEY}"
user_id = "12321"
user_key = "{KEY}"

[[device]]
device_name = "line1"
key = "{KEY}"

[[device]]
dev_id = "6523"
product_id = "Z9y8X7w6V5"
device_name = "line1"
key = "{KEY}"

[[task]]
device_name = "line1"
package = "app.bin"
target = "V2.0"

[[task]]
product_id = "Z9y8X7w6V5"
device_name = "line1"
package = "app.bin"
target = "V2.0"

[knobs]
invalid_state = 17
content_range = "both"
"""


def test_devices_and_tasks_are_named_by_product_and_name(tmp_path: Path) -> None:
    config = load(folder(tmp_path, BY_NAME))
    assert [task.dev_id for task in config.tasks] == ["A1b2C3d4E5/line1", "6523"]
    assert config.knobs.invalid_state == 17
    assert config.knobs.content_range == "both"
    other = config.ring("Z9y8X7w6V5")
    assert other is not None
    assert (other.product_key, other.device_keys) == (b"", {"line1": b"fake key of a test"})
    assert config.keys.user_key == other.user_key == b"fake key of a test"
    assert config.ring("0000000000") is None
    assert KEY not in repr(config)
    assert "fake key" not in repr(config)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('[[device]]\ndevice_name = "line1"', "[[device]]", "a device needs a dev_id, a device_name or both"),
        ('device_name = "line1"', 'device_name = "line1"\nname = "x"', "name and device_name differ"),
        ('device_name = "line1"', 'device_name = "line 1"', "matching regex"),
        ('device_name = "line1"', f'device_name = "{"x" * 65}"', "matching regex"),
        ('device_name = "line1"', 'devicename = "line1"', "unknown field `devicename` - at `$.device[0]`"),
        ('product_id = "Z9y8X7w6V5"\ndevice_name', 'product_id = "Z/5"\ndevice_name', "matching regex"),
        ('dev_id = "6523"\nproduct_id = "Z9y8X7w6V5"', "", "another device has the same name"),
        (
            '[[task]]\ndevice_name = "line1"',
            "[[task]]",
            "a task names its device by `dev_id` or by `device_name`",
        ),
        (
            "[[task]]\ndevice_name",
            '[[task]]\ndev_id = "6523"\ndevice_name',
            "by `dev_id` or by `device_name`",
        ),
        ('[[task]]\ndevice_name = "line1"', '[[task]]\ndev_id = "6523"', "needs `manuf` and `model`"),
        (
            '[[task]]\ndevice_name = "line1"',
            '[[task]]\ndevice_name = "line2"',
            "no [[device]] has device_name",
        ),
        ('user_id = "12321"', "", "a user key needs `user_id`"),
        (f'user_key = "{KEY}"', 'user_key = "not base64!"', "not base64 - at `$.auth.user_key`"),
        ("invalid_state = 17", "invalid_state = -1", "`int` >= 0 - at `$.knobs.invalid_state`"),
        ("invalid_state = 17", "invalidstate = 17", "unknown field `invalidstate` - at `$.knobs`"),
        ('content_range = "both"', "after_done = 20", "Invalid enum value 20 - at `$.knobs.after_done`"),
    ],
)
def test_what_is_wrong_with_names_and_knobs_is_said(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in BY_NAME
    with pytest.raises(ConfigError) as caught:
        load(folder(tmp_path, BY_NAME.replace(old, new, 1)))
    assert message in str(caught.value)
    assert KEY not in str(caught.value)
