"""The search for the one port behind which a module answers, for users who name none.

All ports are tried at the same time: a mute one takes about twenty seconds.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

from atota.clock import StopToken
from atota.errors import AtotaError, Interrupted, NoAnswer, PortNotFound
from atota.link.ports import PortInfo, list_ports
from atota.module.module import open_module
from atota.settings.adapter import fits
from atota.settings.board import Board
from atota.values import Identity, mask

_MOST = 32
"""Ports that are tried at the same time."""


class Answer(msgspec.Struct, frozen=True):
    """The module on one port, or the reason why none was found there."""

    port: str
    identity: Identity | None = None
    problem: str = ""

    def __str__(self) -> str:
        if self.identity is None:
            return f"{self.port}: {self.problem}"
        name = self.identity.model or "an unknown module"
        return f"{self.port}: {name}, IMEI {mask(self.identity.imei)}, at {self.identity.baud} baud"


def find_port(*, board: Board | None, baud: int | None, stop: StopToken, note: Callable[[str], None]) -> str:
    """Return the port behind which the only module answers.

    Args:
        board: only the ports with its adapter are tried, if it names one.
        baud: the only rate to try, bit/s.
        stop: ends the search.
        note: gets the names of the ports that are tried.

    Raises:
        PortNotFound: there is no port to try, or several modules answer.
        NoAnswer: no module answers.
        Interrupted: the stop token was set.
    """
    ports = [port for port in list_ports() if board is None or fits(board, port)]
    if not ports:
        raise PortNotFound("no serial port is there to be searched", hint=PortNotFound.default_hint)
    note(f"searching {', '.join(port.device for port in ports)}")
    answers = _answers(ports, board, baud, stop)
    if stop.is_set:
        raise Interrupted("stopped by the user")
    answering = [answer for answer in answers if answer.identity is not None]
    if not answering:
        raise NoAnswer("no module answers on any port", tried=tuple(map(str, answers)))
    if len(answering) > 1:
        raise PortNotFound(
            f"{len(answering)} modules answer, and one must be meant",
            tried=tuple(map(str, answering)),
            hint=f"Name one of the ports, such as -p {answering[0].port}.",
        )
    return answering[0].port


def _answers(
    ports: Sequence[PortInfo], board: Board | None, baud: int | None, stop: StopToken
) -> list[Answer]:
    untouched = board.untouched if board is not None else None  # nothing is reset by a search

    def look(port: PortInfo) -> Answer:
        if port.holders:
            return Answer(port.device, problem=f"in use by {', '.join(map(str, port.holders))}")
        try:
            with open_module(port.device, baud=baud, board=untouched, stop=stop) as module:
                return Answer(port.device, module.identify())
        except AtotaError as error:
            return Answer(port.device, problem=error.message)

    with ThreadPoolExecutor(min(len(ports), _MOST), thread_name_prefix="search") as pool:
        return list(pool.map(look, ports))
