"""Open the port of a chip, and set the levels of its lines."""

from collections.abc import Callable

from atota.clock import Clock, StopToken
from atota.link.base import Link
from atota.link.open import open_link
from atota.module.module import pulse
from atota.module.reconnect import Adapters, UsbAdapters
from atota.settings.adapter import check_adapter
from atota.settings.spec import JobSpec, completed
from atota.sota.profile import described
from atota.sota.target import ChipTarget
from atota.sota.wire import Wire

ChipOpener = Callable[..., ChipTarget]
"""An opener of chips: `open_chip` with some of its arguments given; a `TargetOpener` of `atota.update`."""


def open_chip(
    spec: JobSpec,
    *,
    clock: Clock | None,
    stop: StopToken,
    note: Callable[[str], None],
    warn: Callable[[str], None],
    on_urc: Callable[[str], None],
    adapters: Adapters | None = None,
    wrap: Callable[[Link], Link] | None = None,
    opener: Callable[[str, int], Link] | None = None,
) -> ChipTarget:
    """Open the chip on a job's port.

    `atota.update.target.TargetOpener` describes the arguments that every opener of targets has.
    ``adapters`` finds an adapter again that was unplugged (default: those on the USB); ``wrap`` puts another
    link round the one that was opened (a transcript). ``opener`` opens the port at a rate (default:
    `atota.link.open.open_link`).
    """
    spec = completed(spec)
    row, chip = described(spec.model, spec.board)
    board = spec.board
    if board is not None:
        warning = check_adapter(board, spec.port)
        if warning is not None:
            warn(warning)

    def opened(port: str, baud: int) -> Link:
        link = opener(port, baud) if opener is not None else open_link(port, baud=baud, clock=clock)
        return wrap(link) if wrap is not None else link

    wire = Wire(opened, spec.port, spec.baud or chip.app_baud or 115200, stop)
    try:
        if board is not None and board.power is not None:
            pulse(wire.link, board.power.on)
        # A port asserts both lines when it is opened: the levels of a running chip hold from here on.
        wire.drive(tuple({step.line: step for step in chip.leave or () if step.line is not None}.values()))
    except BaseException:
        wire.close()
        raise
    return ChipTarget(wire, spec, row, chip, adapters or UsbAdapters(), note=note, on_line=on_urc)
