"""China Mobile's C client against the local platform, where a clone of it is named; see `scripts/judge`."""

import os
import shutil
from pathlib import Path
from typing import Literal

import pytest

from scripts.judge_parts.main import compiler, judged

SOURCE = os.environ.get("ATOTA_JUDGE_CLIENT")


@pytest.mark.skipif(
    not SOURCE or compiler() is None or shutil.which("git") is None,
    reason="needs a C compiler, git, and ATOTA_JUDGE_CLIENT: a clone of cm-heclouds/OneNET_AIO_c",
)
@pytest.mark.parametrize("api", ["generic", "studio"])
def test_the_official_client_updates_its_device(api: Literal["generic", "studio"], tmp_path: Path) -> None:
    assert judged(Path(str(SOURCE)), api, tmp_path) == []
