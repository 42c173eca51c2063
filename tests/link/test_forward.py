"""A link that passes everything on: nothing is lost or changed on the way."""

import pytest

from atota.clock import SimulatedClock
from atota.errors import LineUnavailable, LinkLost
from atota.link.base import Link
from atota.link.forward import ForwardingLink
from atota.testing.memory import memory_pair


def test_everything_is_passed_on() -> None:
    host, module = memory_pair(SimulatedClock())
    with ForwardingLink(host) as link:
        kind: Link = link
        assert (kind.name, kind.clock, kind.baud) == (host.name, host.clock, 9600)
        link.write(b"AT\r")
        assert module.read(0) == b"AT\r"
        module.write(b"OK")
        assert link.read(0) == b"OK"
        link.set_baud(115200)
        assert (host.baud, link.baud) == (115200, 115200)
        with pytest.raises(LineUnavailable):
            link.set_lines(dtr=True)
    with pytest.raises(LinkLost):
        host.read(0)
