"""Encodings: told by marks and bytes, and every block made UTF-8."""
# ruff: noqa: RUF001 - letters of other scripts are what is tested

from __future__ import annotations

import codecs
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.convert.files.encoding import Encoding, Transcoder, detect_encoding
from tests.convert.conftest import PROPERTY

GERMAN = "name;ort\nJörg Müller;Köln – Süd\nÄnne Groß;„Weißer Weg“\n"
POLISH = "imię;miasto\nPaweł Wójcik;Łódź\nMałgorzata Dąbrowska;Gdańsk\nStanisław;Białystok i Kraków\n" * 5
RUSSIAN = "имя;город\nИван Петров;Санкт-Петербург\nМария;Нижний Новгород\n" * 5
JAPANESE = "名前,市\n田中さん,東京です\nやまださん,おおさか\n" * 5
GREEK = "όνομα;πόλη\nΓιώργος;Αθήνα\nΜαρία;Θεσσαλονίκη\n" * 5


def to_utf8(data: bytes, encoding: Encoding, size: int) -> bytes:
    """Return the text of data that comes in blocks of this size, in UTF-8."""
    transcoder = Transcoder(encoding)
    blocks = [data[start : start + size] for start in range(0, len(data), size)]
    return b"".join(transcoder.to_utf8(block, final=False) for block in blocks) + transcoder.to_utf8(b"", final=True)


@pytest.mark.parametrize(
    ("mark", "name"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
@pytest.mark.parametrize("declared", [False, True])
def test_a_mark_tells_the_encoding(mark: bytes, name: str, *, declared: bool) -> None:
    """A mark is no part of the text, and tells the order of bytes also where only UTF-16 is declared."""
    data = mark + GERMAN.encode(name)
    family = "-".join(name.split("-")[:2])

    found = detect_encoding(data, family if declared else None)

    assert found == Encoding(name, len(mark), "declared" if declared else "by its byte order mark")
    assert to_utf8(data, found, 1000) == GERMAN.encode()


@pytest.mark.parametrize("name", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("declared", [None, "utf-16"])
def test_utf16_without_a_mark_is_told_by_its_nuls(name: str, declared: str | None) -> None:
    """Half of the bytes of Latin letters in UTF-16 are NUL: which half tells their order."""
    found = detect_encoding(GERMAN.encode(name), declared)

    assert (found.name, found.mark_bytes) == (name, 0)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (GERMAN, "cp1252"),
        (POLISH, "cp1250"),
        (POLISH, "iso8859_2"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8-r"),
        (JAPANESE, "shift_jis"),
        (GREEK, "cp1253"),
    ],
)
def test_what_is_no_utf8_is_detected(text: str, name: str) -> None:
    """The bytes of a text tell an encoding in which they are that text."""
    data = text.encode(name)

    found = detect_encoding(data)

    assert data.decode(found.name) == text
    assert found.how == "detected"


@pytest.mark.parametrize(
    "text",
    [
        "é",
        "a,Ångström\n",
        "x;100 £\n",
        "naïve café\n",
        "¿Qué?\n",
        "Müller – GmbH\n",
        "20 °C\n",
        "l´été col·lecció novel·la\n",
    ],
)
def test_few_letters_are_taken_for_western(text: str) -> None:
    """From one accent nothing can be told but what most such files are."""
    assert detect_encoding(b"plain text before\n" * 50 + text.encode("cp1252"), is_complete=True).name == "cp1252"


def test_single_wrong_lines_are_no_other_encoding() -> None:
    """A file whose letters are mostly UTF-8 is UTF-8: its other lines are rejects."""
    assert detect_encoding("é,ü\nñ\n".encode() + b"\xff\xe9\n") == Encoding()
    assert detect_encoding("é\n".encode() + b"\xe9,\xfc,\xf1 \xe4\n").name == "cp1252"


def test_a_character_may_be_cut_off_where_a_sample_ends() -> None:
    """The first bytes of a file may end within a character; a whole file may not."""
    assert detect_encoding("plain, naï".encode()[:-1]) == Encoding()
    assert detect_encoding(b"plain, caf\xe9", is_complete=True).name == "cp1252"


def test_large_samples_are_judged_in_no_time() -> None:
    """A first block of 16 MiB costs no more than reading it does, in whatever encoding it is."""
    for sample in (GERMAN.encode("cp1252"), RUSSIAN.encode("cp1251"), GERMAN.encode() * 9 + b"\xff\n", b"a,b\n"):
        data = sample * (16 * 1024 * 1024 // len(sample))
        start = time.thread_time()
        detect_encoding(data)

        assert (
            time.thread_time() - start < 2
        )  # 0.03 s and less, were nobody else about; by Python's loops half a minute


def test_utf8_is_passed_on_as_it_is() -> None:
    """A block that is UTF-8 already is not copied."""
    block = b"a,\xff\n"

    assert Transcoder(Encoding()).to_utf8(block, final=True) is block


@PROPERTY
@given(
    text=st.text(st.characters(exclude_categories=["Cs"])),
    name=st.sampled_from(["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "gb18030", "utf-7"]),
    size=st.integers(1, 9),
)
def test_any_text_comes_back_whatever_the_blocks(text: str, name: str, size: int) -> None:
    """Characters that are cut by the end of a block are put together again."""
    assert to_utf8(text.encode(name), Encoding(name), size) == text.encode()


@PROPERTY
@given(
    data=st.binary(),
    name=st.sampled_from(["utf-16-le", "utf-32-be", "shift_jis", "cp1252", "gb18030", "utf-7", "cp1255"]),
    size=st.integers(1, 9),
)
def test_what_is_no_text_is_a_byte_that_utf8_has_not(data: bytes, name: str, size: int) -> None:
    """Whatever the bytes, no error is raised: what cannot be decoded is told by a byte FF."""
    text = to_utf8(data, Encoding(name), size)
    try:
        expected = data.decode(name).encode()
    except UnicodeError:
        assert b"\xff" in text
    else:
        assert text == expected
