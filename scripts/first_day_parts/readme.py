"""The commands of a document: those of its ``sh`` blocks, with the heading that they stand under."""

import re
from typing import NamedTuple

_HEADING = re.compile(r"#+ (.*)")


class Command(NamedTuple):
    """One command: the heading above it, and its text without comment, on one line."""

    heading: str
    text: str


def blocks(document: str) -> list[tuple[str, str]]:
    """Return the heading and the text of each ``sh`` block of a Markdown document, in order."""
    pairs = []
    heading, fence, lines = "", "", list[str]()
    for line in document.splitlines():
        if line.startswith("```"):
            if fence == "```sh":
                pairs.append((heading, "\n".join(lines)))
            fence, lines = ("" if fence else line), []
        elif fence:
            lines.append(line)
        elif match := _HEADING.fullmatch(line):
            heading = match[1]
    return pairs


def commands(document: str) -> list[Command]:
    """Return each command of a document's ``sh`` blocks, in order, without comments."""
    return [
        Command(heading, text)
        for heading, block in blocks(document)
        for line in re.sub(r" *\\\n *", " ", block).splitlines()
        if (text := re.sub(r"(^|\s+)#(?!\w).*", "", line).strip())
    ]


def mentions(document: str) -> list[str]:
    """Return each command of atota that stands in a document's own text, between backquotes."""
    prose = re.sub(r"(?ms)^```.*?^```$", "", document)
    return [" ".join(text.split()) for text in re.findall(r"`(atota [^`]+)`", prose)]
