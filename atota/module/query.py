"""Queries: harmless commands that may be sent again after silence, a reboot or an error."""

from functools import partial

from atota.clock import Deadline
from atota.errors import ModuleRebooted, NoAnswer
from atota.module.response import Response
from atota.module.session import Session

_ATTEMPTS = 3
_ALIVE_S = 0.6
"""Limit for one AT: a module answers within 300 ms."""
_BUSY_S = 60.0
"""An earlier run's validation may keep the module busy for this long."""


def send_query(session: Session, command: str) -> Response | None:
    """Send a query, up to three times.

    Returns:
        The response, good or bad; None if the module answers other commands, but not this one.

    Raises:
        NoAnswer: the module answers nothing.
        ModuleRebooted: it rebooted each time.
    """
    trouble: NoAnswer | ModuleRebooted | None = None
    for _ in range(_ATTEMPTS):
        try:
            return session.command(command)
        except (ModuleRebooted, NoAnswer) as error:
            trouble = error  # the response may have been lost or late, or the module has just come up
    if isinstance(trouble, NoAnswer) and session.is_alive(_ALIVE_S):
        return None
    assert trouble is not None
    raise trouble


class QueryCache:
    """The information lines of each query; a query without a good response is sent again.

    Args:
        session: the conversation.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lines: dict[str, tuple[str, ...] | None] = {}

    @property
    def answered(self) -> dict[str, tuple[str, ...]]:
        """The information lines of the queries that were answered so far."""
        return {command: lines for command, lines in self._lines.items() if lines is not None}

    def lines(self, command: str, *, required: bool = False, again: bool = True) -> tuple[str, ...] | None:
        """Return the information lines, or None if the module refuses or does not answer this command.

        Args:
            command: the query.
            required: raise if only this command is not answered.
            again: believe a refusal only after the second one.

        Raises:
            NoAnswer: the module answers nothing, or not a ``required`` command.
        """
        if command not in self._lines:
            self._lines[command] = self._ask(command, required=required, again=again)
        return self._lines[command]

    def settled(self, command: str) -> tuple[str, ...] | None:
        """Return the information lines of a required query that two responses have alike.

        It is sent twice, and a third time if the two differ: a line that came once is not the answer's.

        Raises:
            NoAnswer: the module does not answer this command.
        """
        if command not in self._lines:
            responses = [self._ask(command, required=True)]
            if responses[0] is not None:
                responses.append(self._ask(command, required=True))
                if responses[0] != responses[1]:
                    responses.append(self._ask(command, required=True))
            self._lines[command] = _common([lines for lines in responses if lines is not None])
        return self._lines[command]

    def text(self, *commands: str, twice: bool) -> str:
        """Return all information lines of ``commands``, which the identification cannot do without."""
        ask = self.settled if twice else partial(self.lines, required=True)
        return "\n".join("\n".join(ask(command) or ()) for command in commands)

    def _ask(self, command: str, *, required: bool = False, again: bool = True) -> tuple[str, ...] | None:
        response = send_query(self._session, command)
        if response is not None and not response.ok and again:
            # A byte that was lost or doubled on the way makes a good query a wrong one.
            response = send_query(self._session, command)
        if response is None and required:
            raise NoAnswer(f"{command} got no response; without it the module cannot be identified")
        return response.lines if response is not None and response.ok else None


def _common(responses: list[tuple[str, ...]]) -> tuple[str, ...] | None:
    """Return the response that came twice; if none did, the lines of the last one that another has too."""
    if not responses:
        return None
    *others, last = responses
    for response in others:
        if responses.count(response) > 1:
            return response
    shared = tuple(line for line in last if any(line in response for response in others))
    return shared or last


def wait_until_free(session: Session) -> None:
    """Wait, for at most a minute, until the module stops refusing everything."""
    limit = Deadline(session.clock, _BUSY_S)
    while True:
        response = send_query(session, "AT")
        if (response is not None and response.ok) or limit.expired:
            return
        session.listen(1.0)
