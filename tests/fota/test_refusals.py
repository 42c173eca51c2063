"""A refusal has words, a permanent one is met once, and the hint follows from the cause."""

from pathlib import Path
from typing import Any

import pytest

from atota.at.errors27007 import CME_TEXTS, CMS_TEXTS, cme_code
from atota.at.events import Final
from atota.dialects import error_tables, loader
from atota.dialects.model import Dialect
from atota.errors import AtotaError, Refused, SlotLost, WriteFailed
from tests.fota import test_ack_upload as upload
from tests.fota import test_pushed_stream as pushed

LOSSES = ("supply", "wiring")


def cme(code: int) -> Final:
    return Final(b"+CME ERROR: %d" % code, ok=False, kind="CME", code=code, text=str(code))


@pytest.mark.parametrize("dialect", loader.all_built_in(), ids=lambda dialect: dialect.name)
def test_every_number_of_27007_has_words_in_every_dialect(dialect: Dialect) -> None:
    for code in CME_TEXTS:
        assert dialect.error_words(cme(code)), code
    for code in CMS_TEXTS:
        assert dialect.error_words(Final(b"", ok=False, kind="CMS", code=code)), code


def test_the_table_of_27007_is_complete() -> None:
    """The number of codes in section 9.2 of version 14.10, from Nordic's list of them."""
    assert len([code for code in CME_TEXTS if code <= 100]) == 53
    assert len([code for code in CME_TEXTS if code > 100]) == 57
    assert {3, 50, 103, 148, 171, 182} <= set(CME_TEXTS)
    assert all(cme_code(text) == code for code, text in CME_TEXTS.items() if code != 157)


@pytest.mark.parametrize(
    ("dialect", "code", "words"),
    [
        ("quectel-dfota", 407, "the file exists already"),
        ("quectel-dfota", 405, "file not found"),
        ("quectel-dfota", 420, "no space"),
        ("quectel-dfota", 3, "operation not allowed"),
        ("quectel-dfota", 50, "incorrect parameters"),
        ("quectel-dfota", 627, "not available on the server"),
        ("quectel-dfota", 714, "name could not be resolved"),
        ("quectel-cat1", 407, "the file exists already"),
        ("quectel-bc26", 50, "incorrect parameters"),
        ("simcom-sim7000", 3, "came late or short"),
        ("simcom-sim7020", 30, "no network service"),
        ("hi2115", 50, "this block or this step was refused"),
        ("hi2115", 518, "packet data context"),
        ("hi2115", 5001, "corrupted"),
        ("ublox-sara-n2", 1650, "too long"),
        ("ublox-sara-r4", 5000, "mismatch"),
        ("cinterion-ens22", 529, "FOTA is updating"),
        ("3gpp", 3, "operation not allowed"),
    ],
)
def test_a_number_has_the_words_of_its_family(dialect: str, code: int, words: str) -> None:
    assert words in loader.load(dialect).error_words(cme(code))


def test_another_kind_of_result_is_not_explained_by_these_tables() -> None:
    final = Final(b"+CIS ERROR: 601", ok=False, kind="+CIS ERROR", code=601, text="601")
    assert loader.load("quectel-dfota").error_words(final) == ""


def failure(talk: Any, kind: type[AtotaError]) -> AtotaError:
    with pytest.raises(kind) as caught:
        talk.write()
    return caught.value


@pytest.mark.parametrize(
    ("code", "words", "kind"),
    [
        (407, "the file exists already", WriteFailed),
        (403, "the drive is full", Refused),
        (420, "no space is left in the file system", Refused),
        (406, "invalid file name", WriteFailed),
        (4, "operation not supported", WriteFailed),
        (421, "timeout: the bytes came too late", SlotLost),
        (3, "operation not allowed", SlotLost),
        (50, "incorrect parameters", SlotLost),
    ],
)
def test_an_upload_that_is_refused(tmp_path: Path, code: int, words: str, kind: type[AtotaError]) -> None:
    refusal = (upload.OPEN, b"\r\n+CME ERROR: %d\r\n" % code)
    again = (upload.DELETE, refusal) if code == 407 else ()  # the file is deleted once
    error = failure(upload.talk(tmp_path, upload.DELETE, upload.FREE, refusal, *again), kind)
    assert error.message == f"the module does not take the file: +CME ERROR: {code} ({words})"
    assert not any(word in error.hint for word in LOSSES)


def test_the_words_of_a_verbose_error_are_not_said_twice(tmp_path: Path) -> None:
    said = b"\r\n+CME ERROR: operation not allowed\r\n"
    error = failure(upload.talk(tmp_path, upload.DELETE, upload.FREE, (upload.OPEN, said)), SlotLost)
    assert error.message == "the module does not take the file: +CME ERROR: operation not allowed"


def test_where_something_was_lost_supply_and_wiring_are_named(tmp_path: Path) -> None:
    opened = (upload.OPEN, upload.CONNECT)
    script = (upload.DELETE, upload.FREE, opened, (upload.WHOLE, b"\r\nRDY\r\n"))
    assert "supply and wiring" in failure(upload.talk(tmp_path, *script), SlotLost).hint


@pytest.mark.parametrize(
    ("code", "words", "kind"),
    [
        (500, "the module did not receive the whole file", SlotLost),
        (555, "an error of the update that the guides do not explain", SlotLost),
        (505, "the package does not exist or its check failed", WriteFailed),
        (507, "the package does not match the running version", WriteFailed),
        (525, "the update failed", SlotLost),
        (99, "not explained by its documents", SlotLost),
    ],
)
def test_a_file_that_the_module_does_not_take(
    tmp_path: Path, code: int, words: str, kind: type[AtotaError]
) -> None:
    script = (
        (pushed.OPEN, pushed.READY),
        (pushed.FIRST, b""),
        (pushed.SECOND, b""),
        (pushed.LAST, pushed.ENDED % code),
    )
    talk = pushed.talk(tmp_path, *script)
    talk.write()
    with pytest.raises(kind) as caught:
        talk.method.activate(talk.session)
    assert caught.value.message == f"the module did not store the package: code {code} ({words})"
    assert not any(word in caught.value.hint for word in LOSSES)


def test_the_numbers_of_tables_are_numbers_or_ranges() -> None:
    for name, table in error_tables.tables().items():
        assert table.source, name
        for number in table.words:
            low, _, high = number.partition("-")
            assert int(low) <= int(high or low), (name, number)
        assert all(table.meaning(code) for code in table.permanent), name


def test_a_profile_cannot_name_a_table_that_does_not_exist() -> None:
    with pytest.raises(ValueError, match="no error table 'acme'"):
        error_tables.require_known(("acme",))


def test_a_start_that_is_refused_has_words_and_no_wrong_hint(tmp_path: Path) -> None:
    script = (
        upload.DELETE,
        upload.FREE,
        (upload.OPEN, upload.CONNECT),
        (upload.WHOLE, b"A"),
        (upload.REST, upload.STORED),
        (upload.START, b"\r\n+CME ERROR: 3\r\n"),
    )
    talk = upload.talk(tmp_path, *script)
    talk.write()
    with pytest.raises(WriteFailed) as caught:
        talk.method.activate(talk.session)
    assert "+CME ERROR: 3 (operation not allowed)" in caught.value.message
    assert not any(word in caught.value.hint for word in LOSSES)
