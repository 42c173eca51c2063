"""The result of a job."""

from typing import Any

import msgspec

from atota.errors import AtotaError, Outcome
from atota.update.events import Stage
from atota.values import Digests, Identity


class JobResult(msgspec.Struct, kw_only=True):
    """What came of a job. ``error`` is what ended it, if something did.

    ``record_id`` names its record in the journal; ``resumes`` the job that it went on from.
    """

    outcome: Outcome = Outcome.ERROR
    exit_code: int = 1
    record_id: str = ""
    identity: Identity | None = None
    task: dict[str, Any] | None = None
    package: Digests | None = None
    version_before: str | None = None
    version_after: str | None = None
    stages_ms: dict[Stage, int] = {}
    blocks: int = 0
    retries: int = 0
    longest_silence_ms: int = 0
    boots: int = 0
    resumes: str | None = None
    warnings: list[str] = []
    error: AtotaError | None = None

    @property
    def ok(self) -> bool:
        """Whether the job ended as wished: updated, or nothing to do."""
        return self.exit_code == 0
