"""Open the module on a job's port as the target of the job."""

from collections.abc import Callable

from atota.at.events import Event, Urc
from atota.clock import Clock, StopToken
from atota.fota.target import ModuleTarget
from atota.module.module import Opener, open_module
from atota.module.reconnect import Adapters, UsbAdapters
from atota.settings.spec import JobSpec


def open_target(
    spec: JobSpec,
    *,
    clock: Clock | None,
    stop: StopToken,
    note: Callable[[str], None],
    warn: Callable[[str], None],
    on_urc: Callable[[str], None],
    opener: Opener = open_module,
    adapters: Adapters | None = None,
) -> ModuleTarget:
    """Open the module on a job's port.

    `atota.update.target.TargetOpener` describes the arguments that every opener of targets has. ``opener``
    opens the module; ``adapters`` finds an adapter again that was unplugged (default: those on the USB).
    """

    def on_event(event: Event) -> None:
        if isinstance(event, Urc):
            on_urc(event.text)

    module = opener(
        spec.port,
        baud=spec.baud,
        first_baud=spec.first_baud,
        dialect=spec.dialect,
        model=spec.model,
        board=spec.board,
        clock=clock,
        stop=stop,
        listener=on_event,
    )
    return ModuleTarget(module, spec, adapters or UsbAdapters(), note=note, warn=warn)
