"""From the point of no return to the version that was read back; all over again if the start was lost."""

from contextlib import ExitStack

from atota.errors import AtotaError, Interrupted, JobTimeout, LinkLost, OldVersion
from atota.fota.base import Method, SlotLost
from atota.module import identify
from atota.module.module import Module
from atota.update.confirming import Confirmer
from atota.update.context import Context
from atota.update.plan import Wanted
from atota.update.writing import Writer
from atota.values import Identity


class Starter:
    """Starts one update and sees it through.

    Args:
        context: what the parts of the job share.
        module: the module; its slot is written and, where that can be, validated.
        method: how it is started.
        before: who it was.
        wanted: what it is to become.
    """

    def __init__(
        self, context: Context, module: Module, method: Method, before: Identity, wanted: Wanted
    ) -> None:
        self._module = module
        self._method = method
        self._before = before
        self._wanted = wanted
        self._log = context.log
        self._chronicle = context.chronicle
        self._stop = context.stop
        self._reconnect = context.reconnect
        self._reboot_timeout_s = context.spec.reboot_timeout_s

    def run(self, writer: Writer, shield: ExitStack) -> str:
        """Start, wait, confirm. The version that was read back.

        Args:
            writer: has filled the slot, and can fill it again.
            shield: closed when the job is over; until then one request to stop is only noted.

        Raises:
            WriteFailed: the module refused to start, or loses its slot again and again.
            RebootTimeout: it did not come back in time.
            OldVersion: it runs what it ran.
        """
        certain, survived = False, 0
        while True:
            try:
                certain = certain or self._activate(shield)
                survived += 1
                # One start may have been lost; a module that ends each of them as it was, failed to update.
                return self.survive(certain=certain or (survived > 1 and writer.is_last_try))
            except SlotLost as lost:
                shield.close()
                self._log.started = False
                writer.recover(lost)
                certain = self._wanted.expected in identify.read_versions(self._module.session)
                if not certain:
                    self._chronicle.fact("start-lost", {"done": 0})
                    writer.refill()

    def survive(self, *, certain: bool) -> str:
        """Wait for the module, and read its version back.

        Raises:
            RebootTimeout: it did not come back in time.
            OldVersion: it runs what it ran, and surely had been started.
            SlotLost: it runs what it ran, and the start seems to have been lost.
        """
        before = (self._before.version, self._before.revision)
        confirmer = Confirmer(
            self._module,
            self._method,
            before=tuple(version for version in before if version),
            expected=self._wanted.expected,
            first_baud=self._before.baud or self._module.session.link.baud,
            limit_s=self._reboot_timeout_s,
            tick=lambda percent: self._log.progress("reboot", percent, 100, percent=True),
            reconnect=self._reconnect,
            certain=certain,
        )
        with self._log.stage("reboot"):
            confirmer.wait()
        try:
            with self._log.stage("confirm"):
                version = confirmer.confirm()
        except OldVersion as error:
            if certain or confirmer.rebooted_to_update:
                self._chronicle.fact("confirmed", {"version": self._before.version})
                raise
            message = f"{error.message}: the start seems to have been lost"
            raise SlotLost(message, hint=error.hint) from error
        self._chronicle.fact("confirmed", {"version": version})
        return version

    def _activate(self, shield: ExitStack) -> bool:
        """Start the update; from here on one request to stop is only noted. Whether it surely took it."""
        with self._log.stage("activate"):
            self._log.started = self._method.spec.can_start_before_activate
            self._module.session.check()
            shield.enter_context(self._stop.shielded())
            if self._stop.is_noted:
                raise Interrupted("stopped by the user")
            self._log.started = True
            try:
                certain = self._method.activate(self._module.session) is not False
            except LinkLost as lost:
                self._reconnect(lost)
                return False
            except AtotaError as error:
                self._log.started = isinstance(error, Interrupted | JobTimeout)
                raise
            self._chronicle.fact("started", {"certain": certain})
            return certain
