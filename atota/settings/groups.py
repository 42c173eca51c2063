"""The groups of settings. They stand apart from the table so that listing the commands loads little."""

import enum


class Group(enum.StrEnum):
    """Settings that commands take together; the value is their heading in the help."""

    LINK = "Port and module"
    WAIT = "Waiting"
    TYPE = "Type of the target"
    PLATFORM = "Platform"
    PACKAGE = "Local package"
    UPDATE = "Update"
    JOURNAL = "Journal"
    CACHE = "Cache"
