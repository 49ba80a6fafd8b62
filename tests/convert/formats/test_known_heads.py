"""Heads of small CSV files told by that of another, but where rows of their own tell otherwise."""

from __future__ import annotations

import pytest

from tasks.config import Reading
from tasks.convert.files.byte_view import ByteView
from tasks.convert.formats.csv.header import Head, read_head
from tasks.convert.formats.csv.known import KnownHead
from tasks.convert.schema.blocks import Guess

UNITS = "a,b\nm,kg\n1,2\n3,4\n5,6\n7,8\n"
TITLED = "T\na,b,c\n1,2,x\n3,4,y\n5,6,z\n"
COMMAS, POINTS = "a;b\n1;2,05\n3;4,5\n5;6,5\n", "a;b\n1;2.5\n3;4.5\n5;6.5\n"
PLAIN = "a,b\n1,2\n3,4\n5,6\n"


def head_of(text: str) -> Head:
    """Return the head that a file has by itself."""
    return read_head(ByteView.of(text.encode()), Reading(), ".csv", list)


def told_of(most: str, other: str) -> Guess | None:
    """Return what is guessed of a file by the head of another; None where its own is to be read."""
    known = KnownHead.of(head_of(most), most.encode(), Reading())
    assert known is not None
    text = other.encode()
    if (place := known.find(text)) is None or not known.tells(text[place + len(known.begins) :], text[:place]):
        return None
    return known.guess(text[:place], ".csv", "utf-8")


@pytest.mark.parametrize(
    ("most", "other"),
    [
        (UNITS, "a,b\nm,kg\n2,1\n4,\n6,2.5\n8,9\n"),
        (TITLED, "One\n\nTwo of 2\na,b,c\n1,2,x\n3,4,y\n5,6,z\n"),
        (TITLED, "a,b,c\n1,2,x\n"),
        (COMMAS, "a;b\n7;0,5\n8;1,25\n"),
        (POINTS, "a;b\n7;8.25\n8;2.500\n"),
        (PLAIN, 'a,b\n1,"x ""y"", z"\n2,"z\nu"\n'),
    ],
)
def test_a_head_tells_that_of_another(most: str, other: str) -> None:
    """What is guessed of a file is what its own head tells."""
    assert told_of(most, other) == head_of(other).guess(".csv")


@pytest.mark.parametrize(
    ("most", "other"),
    [
        (UNITS, "a,b\nm,kg\n1,2\n3,x\n5,6\n7,8\n"),
        (UNITS, "a,b\nm,kg\n1,2\n"),
        (UNITS, "a,b\nm,kg\n1,\n3,\n5,\n7,\n"),
        (UNITS, "a,b\nm,kg\n1,2\n3,2024-01-01\n5,6\n7,8\n"),
        (TITLED, "T\na,b,c\n1;2,2,x;y\n3;4,4,y;z\n5;6,6,z;u\n"),
        (TITLED, "sep=,\na,b,c\n1,2,x\n3,4,y\n5,6,z\n"),
        (TITLED, "# T\na,b,c\n1,2,x\n3,4,y\n5,6,z\n"),
        ("T\na,b\n1,2\n3,4\n5,6\n", "T\na,b\nx,y\nz,u\nv,w\n"),
        (COMMAS, "a;b\n1;2,5\n3;4,55\n5;6,5\n"),
        (COMMAS, "a;b\n1;2.05\n3;4.5\n5;0,5\n"),
        (POINTS, "a;b\n1;2.500\n3;4.500\n5;6.500\n"),
        (POINTS, "a;b\n1;2,5\n3;4,5\n5;6.5\n"),
        (PLAIN, 'a,b\n"x\\"y",2\n"x\\",z",4\n5,6\n'),
        (PLAIN, 'a,b\n"a",x\n"a",y\n"z",a\n'),
        (PLAIN, 'a,b\n1, "x, y"\n3, "z"\n5, "u"\n'),
    ],
)
def test_rows_tell_otherwise_than_the_head_of_another(most: str, other: str) -> None:
    """A file with the first lines of others may have no units, another decimal, or an escape: its own head is read."""
    assert told_of(most, other) is None
