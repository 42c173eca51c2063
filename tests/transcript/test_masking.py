"""Where a module may fetch its package is a secret: no cut and no damage makes a transcript show it."""

import io
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atota.clock import SimulatedClock
from atota.errors import LinkLost
from atota.testing.memory import memory_pair
from atota.transcript.format import escape
from atota.transcript.masking import Masker
from atota.transcript.writer import TranscriptLink

TOKEN = b"XZ9KW7VJX0ZKXW8YJZ9K"  # no two of its characters stand together anywhere else
COMMAND = b'AT+QFOTADL="http://ota.example/ota/south/download/ota_' + TOKEN + b'"\r'


def shown(line: bytes) -> str:
    return escape(line, Masker().hidden(">", line))


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (COMMAND, r'AT+QFOTADL="http://ota.example/ota/south/download/ota_********************"\r'),
        (b"http://10.0.0.5:80/ota_0123456789abcdef0123/update.zip", None),
        (
            b"AT+CFOTA=5,40960,0123456789abcdef0123456789abcdef",
            "AT+CFOTA=5,40960,0123456789abcdef0123456789abcdef",
        ),
        (b'AT+CFSGFIS=1,"fota_update.zip"', 'AT+CFSGFIS=1,"fota_update.zip"'),
        (b"ota_" + 30 * b"x" + b".", "ota_" + 30 * "*" + "."),
    ],
)
def test_a_line_is_masked_where_it_must_be(line: bytes, wanted: str | None) -> None:
    assert shown(line) == (wanted or "http://10.0.0.5:80/ota_********************/update.zip")


class Conversation:
    """A transcript of whatever is written and heard, and how much of the token it gives away."""

    def __init__(self) -> None:
        self.clock = SimulatedClock()
        host, self.module = memory_pair(self.clock)
        self.file = io.StringIO()
        self.link = TranscriptLink(host, self.file, masker=Masker())

    def hear(self, data: bytes) -> None:
        self.module.write(data)
        if data:
            self.link.read(0)

    def shows(self, count: int) -> bool:
        """Whether so many characters of the token, in a row, are in the file."""
        text = "".join(line.split(" ", 2)[2] for line in self.file.getvalue().splitlines()[4:])
        parts = [TOKEN[place : place + count].decode() for place in range(len(TOKEN) - count + 1)]
        return any(part in text for part in parts)


@pytest.mark.parametrize("pause", [0.0, 1.0], ids=["at-once", "with-a-pause"])
def test_no_cut_of_a_command_or_of_its_echo_leaks(pause: float) -> None:
    for cut in range(len(COMMAND) + 1):
        talk = Conversation()
        for say in (talk.link.write, talk.hear):
            say(COMMAND[:cut])
            talk.clock.sleep(pause)
            say(COMMAND[cut:])
        talk.link.close()
        assert not talk.shows(2), cut


def test_no_place_in_a_long_line_leaks() -> None:
    for before in range(512 - len(COMMAND), 513):
        talk = Conversation()
        talk.link.write(before * b"." + COMMAND)
        talk.hear(before * b"." + COMMAND)
        talk.link.close()
        assert not talk.shows(2), before


def test_a_command_and_its_echo_may_be_woven_into_each_other() -> None:
    for cut in range(len(COMMAND)):
        talk = Conversation()
        talk.link.write(COMMAND[: cut + 1])
        talk.hear(COMMAND[:cut])
        talk.link.write(COMMAND[cut + 1 :])
        talk.hear(COMMAND[cut:])
        talk.link.close()
        assert not talk.shows(2), cut


def test_a_conversation_that_breaks_off_in_the_middle_of_a_secret_leaks_nothing_of_it() -> None:
    for cut in range(len(COMMAND)):
        talk = Conversation()
        talk.link.write(COMMAND[:cut])
        talk.module.close()
        with pytest.raises(LinkLost):
            talk.link.read(1)
        talk.link.close()
        assert not talk.shows(2), cut


@pytest.mark.parametrize("damage", ["lost", "flipped", "doubled"])
def test_a_damaged_echo_leaks_no_more_than_scraps(damage: str) -> None:
    for place in range(len(COMMAND)):
        talk = Conversation()
        talk.link.write(COMMAND)
        instead = {"lost": b"", "flipped": b"\x7f", "doubled": 2 * COMMAND[place : place + 1]}[damage]
        talk.hear(COMMAND[:place] + instead + COMMAND[place + 1 :])
        talk.link.close()
        assert not talk.shows(6), place


@given(st.binary(max_size=300), st.randoms(use_true_random=False))
def test_lengths_stay_whatever_is_hidden(data: bytes, rng: random.Random) -> None:
    place = rng.randrange(len(data) + 1)
    line = data[:place] + b"ota_" + TOKEN + data[place:]
    (span, *_) = Masker().hidden(">", line)
    assert span[1] - span[0] >= len(TOKEN)
    assert all(0 <= start < end <= len(line) for start, end in Masker().hidden("<", line))
