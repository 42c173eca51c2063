"""A judge that shares no code with atota: the OTA part of China Mobile's C client against the local platform.

The client, cm-heclouds/OneNET_AIO_c, is not part of this project: the caller names a clone of it (public, at
GitHub). It is compiled as it is, with the address sanitizer; only the address of the server, a constant, is
replaced. It speaks the generic API and STUDIO, and is older than FUSE.
"""

import argparse
import base64
import hmac
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from atota.otaserver.model import Auth, Device, TasksFile, TaskSpec, build
from atota.otaserver.serve import RunningServer
from atota.otaserver.service import LocalPlatform
from atota.values import Digests

Api = Literal["generic", "studio"]
DEVICE = Path(__file__).with_name("device.c")
KEY = base64.b64encode(b"the key of a judge, no secret").decode()
PRODUCT, NAME, DEV_ID = "1000000001", "line1", "6523"  # the client has room for a name of eight characters
PACKAGE = bytes(index * 7 % 251 for index in range(10_001))  # no whole number of pieces

_WOLF = "tools/wolfssl/wolfssl-3.15.3"
_NEEDED = (
    "services/ota", "onenet/utils", "protocols/http", "common", "platforms", "tools/cJSON",
    "tools/wolfssl/port", f"{_WOLF}/wolfcrypt", f"{_WOLF}/wolfssl",
)  # fmt: skip
_INCLUDED = (
    "config", "platforms/include", "services/ota", "onenet/utils", "protocols/http", "common", "tools/cJSON",
    "tools/wolfssl/port", _WOLF,
)  # fmt: skip
_SOURCES = (
    "services/ota/ota_api.c", "onenet/utils/dev_token.c", "common/log.c", "common/utils.c",
    "protocols/http/http_api.c", "platforms/linux/osl_linux.c", "platforms/linux/tcp_linux.c",
    "platforms/linux/time_linux.c", "tools/cJSON/cJSON.c",
    *(f"{_WOLF}/wolfcrypt/src/{name}.c" for name in
      ("hmac", "md5", "sha", "sha256", "coding", "hash", "memory", "wc_port", "misc", "logging")),
)  # fmt: skip
_CONFIG = "#define CONFIG_PLAT_ARCH_64BIT 1\n#define CONFIG_HAVE_STDINT 1\n"


def compiler() -> str | None:
    """Return the C compiler of this machine, or None."""
    return shutil.which("gcc") or shutil.which("cc")


def compiled(source: Path, folder: Path, api: Api, port: int) -> Path:
    """Compile the client for a server on ``port`` of this machine; ``source`` is a clone, bare or not."""
    tree = folder / api
    tree.mkdir()
    archive = subprocess.run(
        ["git", "-C", str(source), "archive", "HEAD", *_NEEDED], check=True, capture_output=True
    )
    subprocess.run(["tar", "x", "-C", str(tree)], input=archive.stdout, check=True)
    (tree / "config").mkdir()
    (tree / "config" / "config.h").write_text(_CONFIG)
    file = tree / "services/ota/ota_api.c"
    text = file.read_text(encoding="utf-8")
    text = re.sub(r"(#define OTA_SERVER_ADDR) .*", r'\1 "127.0.0.1"', text)
    text = re.sub(r"(#define OTA_SERVER_PORT) 80\b", rf"\1 {port}", text)
    file.write_text(text, encoding="utf-8")
    program = folder / f"device-{api}"
    options = ["-w", "-O1", "-g", "-fsanitize=address", "-DWOLFSSL_USER_SETTINGS"]
    options += ["-DCONFIG_TM"] if api == "studio" else []
    includes = [f"-I{tree / path}" for path in _INCLUDED]
    sources = [str(DEVICE), *(str(tree / path) for path in _SOURCES)]
    command = [str(compiler()), *options, *includes, *sources, "-lm", "-o", str(program)]
    subprocess.run(command, check=True, capture_output=True)
    return program


def platform() -> LocalPlatform:
    """Make a platform with one device, known to each API, and one task."""
    device = Device(dev_id=DEV_ID, device_name=NAME, key=KEY)
    task = TaskSpec(dev_id=DEV_ID, manuf="000", model="00001", package="app.bin", target="V2.0")
    file = TasksFile(auth=Auth(product_id=PRODUCT, access_key=KEY), devices=(device,), tasks=(task,))
    return LocalPlatform(build(file, {"app.bin": PACKAGE}))


def judged(source: Path, api: Api, folder: Path) -> list[str]:
    """Run one update of the client; return what is wrong with it, nothing if all is as it should be."""
    served = platform()
    with RunningServer(served) as server:
        program = compiled(source, folder, api, server.port)
        received = folder / f"{api}.bin"
        words = [PRODUCT, NAME, KEY] if api == "studio" else [DEV_ID, "000", "00001", _authorization()]
        ran = subprocess.run(
            [str(program), str(received), "1", "V1.0", *words], check=False, capture_output=True, timeout=60
        )
    output = (ran.stdout + ran.stderr).decode(errors="backslashreplace")
    digests = Digests.of(PACKAGE)
    expected = f"target V2.0 md5 {digests.md5} size {digests.size}"
    problems = []
    if ran.returncode or expected not in output:
        problems.append(f"the client ended with {ran.returncode}:\n{output}")
    if not received.exists() or received.read_bytes() != PACKAGE:
        problems.append("the client received other bytes than the package's")
    task = served.task(DEV_ID)
    if task.state != "done" or task.reported != [101, 201]:
        problems.append(f"the task is {task.state}, and {task.reported} was reported of it")
    if served.version(DEV_ID) != "V2.0":
        problems.append(f"the platform believes that the device runs {served.version(DEV_ID)}")
    return problems


def _authorization() -> str:
    """Sign for the product. In the generic API the client takes the whole header from its caller."""
    et, resource = int(time.time()) + 3600, f"products/{PRODUCT}"
    text = f"{et}\nsha1\n{resource}\n2018-10-31"
    sign = base64.b64encode(hmac.digest(base64.b64decode(KEY), text.encode(), "sha1")).decode()
    fields = f"res={quote(resource, safe='')}&et={et}&method=sha1&sign={quote(sign, safe='')}"
    return f"version=2018-10-31&{fields}"


def run(words: list[str]) -> int:
    """Judge both APIs; return 0 if the client was content with each."""
    parser = argparse.ArgumentParser(prog="scripts/judge", description=__doc__)
    parser.add_argument("source", type=Path, metavar="CLONE", help="a clone of cm-heclouds/OneNET_AIO_c")
    source = parser.parse_args(words).source
    if compiler() is None or shutil.which("git") is None:
        print("scripts/judge needs a C compiler and git")
        return 2
    broken = False
    apis: tuple[Api, ...] = ("generic", "studio")
    with tempfile.TemporaryDirectory(prefix="atota-judge-") as folder:
        for api in apis:
            problems = judged(source, api, Path(folder))
            print(f"{api}: {'; '.join(problems) or 'the client updated its device'}")
            broken = broken or bool(problems)
    return 1 if broken else 0
