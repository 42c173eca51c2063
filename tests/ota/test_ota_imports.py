"""What the parts of the platform client cost to import."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "module",
    [
        "base",
        "cache",
        "download",
        "package",
        "probe",
        "registry",
        "replies",
        "serve",
        "translate",
        "waiting",
        "onenet.answers",
        "onenet.errnos",
        "onenet.signer",
        "onenet.wire",
    ],
)
def test_only_the_client_needs_the_http_library(module: str) -> None:
    code = f"import sys, atota.ota.{module}; sys.exit('httpx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
