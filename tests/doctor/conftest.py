"""What the doctor's tests share with those of sessions: a module that is a table."""

from tests.module.conftest import scripted

__all__ = ["scripted"]
