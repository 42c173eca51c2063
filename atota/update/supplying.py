"""The verified package of a job on this machine, and where a module can fetch it if it does so itself."""

from contextlib import ExitStack
from pathlib import Path

from atota.errors import PackageError, Refused
from atota.fota.base import Method
from atota.ota.package import require, verify_file
from atota.settings.spec import JobSpec
from atota.update.obtaining import Obtainer
from atota.update.platform import Status
from atota.update.serving import serve
from atota.update.stages import StageLog
from atota.values import Digests, checked_sha256

Package = tuple[Path, Digests]


class Supplier:
    """Brings one package here, verified, and of a kind that the module can take.

    Args:
        spec: what the job is asked to do.
        obtainer: the platform's side, if the package comes from there.
        log: tells the listener.
        stack: ends, with the job, the serving of the package to the module.
    """

    def __init__(self, spec: JobSpec, obtainer: Obtainer | None, log: StageLog, stack: ExitStack) -> None:
        self._spec = spec
        self._obtainer = obtainer
        self._log = log
        self._stack = stack

    def package(self, method: Method) -> Package:
        """The package's file and its digests.

        Raises:
            PackageError: it is not what it should be.
            Refused: the module could not fetch it.
            ServerError: the platform or the network.
        """
        local = self._spec.package
        if local is None:
            assert self._obtainer is not None
            with self._log.stage("download"):
                path, digests = self._obtainer.fetch()
        else:
            path = local.path
        with self._log.stage("verify"):
            if local is not None:
                digests = verify_file(path, size=None, md5=local.md5, sha256=local.sha256)
            elif self._spec.sha256 is not None:
                # What the user expects is no fault of the platform: it is not told.
                require(digests, "the package", size=None, md5=None, sha256=checked_sha256(self._spec.sha256))
            if method.spec.needs_address:
                method.set_url(self._address(path))
            try:
                method.check(path)
            except PackageError:
                if self._obtainer is not None:
                    self._obtainer.failed(Status.UPGRADE_MISMATCH)
                raise
        return path, digests

    def _address(self, path: Path) -> str:
        """Where the module can fetch the package: from here, or from the platform itself."""
        if self._spec.serve_url is not None:
            return self._stack.enter_context(serve(path, self._spec.serve_url))
        if self._obtainer is None:
            raise Refused(
                "this module fetches packages itself, and there is no address that it could fetch from",
                hint="Give --serve-url http://HOST:PORT: an address here that the module can reach.",
            )
        return self._obtainer.address()
