"""Escaped quotes, and blanks around quotes: as other programs write CSV."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest

from tasks.config import Reading
from tasks.convert.files.byte_view import ByteView
from tasks.convert.formats.csv.format import Csv
from tasks.convert.formats.csv.quoting import Quoting
from tasks.convert.schema.target import TableTarget
from tasks.convert.staging import file as staging
from tests.convert.conftest import files_source, make_table, read_rejects, read_rows, write_files


def texts_of(root: Path, text: str, **read: Any) -> list[Any]:
    """Return the values of the column t."""
    write_files(root, a_csv=text)
    make_table(root, files_source(read=read))
    return [row["t"] for row in read_rows(root)]


@pytest.mark.parametrize(
    ("field", "text"),
    [
        (r'"say \"hi\" ok"', 'say "hi" ok'),
        (r'"a\",b"', 'a",b'),
        (r'"\"hi\""', '"hi"'),
        (r'"C:\temp \"x\""', r'C:\temp "x"'),
        (r'"ends in \\","\"y\""', "ends in \\"),
        (r'"a \"b\" ""c"""', 'a "b" "c"'),
        ('"two\nlines \\"x\\""', 'two\nlines "x"'),
    ],
)
def test_a_quote_after_a_backslash_is_part_of_its_field(tmp_path: Path, field: str, text: str) -> None:
    """As Spark, MySQL and pandas with an escapechar write it; other backslashes stay."""
    more = ",z" if "," in field.rsplit('"', 3)[-3:][0] else ""
    header = "id,t,u" if more or '","' in field else "id,t"
    rows = f"1,{field}\n" if header == "id,t" or '","' in field else f"1,{field}{more}\n"

    assert texts_of(tmp_path, f"{header}\n{rows}{rows}")[0] == text


def test_a_path_that_ends_in_a_backslash_is_whole(tmp_path: Path) -> None:
    """A backslash before a quote that ends its field escapes nothing."""
    assert texts_of(tmp_path, 'id,t,u\n1,"C:\\dir\\","x"\n2,"D:\\","y"\n') == ["C:\\dir\\", "D:\\"]


@pytest.mark.parametrize(("path", "warned"), [(r"C:\\dir, x", True), (r"C:\dir, x", False)])
def test_an_escape_that_comes_late_is_one_in_all_that_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, warned: bool
) -> None:
    """Whichever blocks have such a quote; that two backslashes are two above, and one below, is told."""
    monkeypatch.setattr(staging, "BLOCK_BYTES", 64 * 1024)
    rows = [f'{number},"{path}"' for number in range(16_000)]
    rows[8_000] = r'8000,"say \"hi\", ok"'
    write_files(tmp_path, a_csv="\n".join(["id,t", *rows, ""]))

    table = make_table(tmp_path, files_source())

    found = {row["id"]: row["t"] for row in read_rows(tmp_path)}
    assert (found[0], found[8_000], found[15_999]) == (path, 'say "hi", ok', path.replace(r"\\", "\\"))
    assert any("declare read.escape" in each for each in table.findings.warnings) == warned


def test_an_escape_that_comes_late_is_detected(tmp_path: Path) -> None:
    """Beyond what is looked at first, and in a later block."""
    rows = [f'{number},"name {number} {"x" * 60}"' for number in range(150_000)]
    rows[100_000:100_001] = [r'100000,"say \"hi\", ok"']

    texts = texts_of(tmp_path, "id,t\n" + "\n".join(rows) + "\n")

    assert len(texts) == 150_000
    assert 'say "hi", ok' in texts


def test_a_field_with_an_escape_before_its_line_end_is_whole_where_a_block_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The quote before that line end closes nothing, wherever a block is cut."""
    monkeypatch.setattr(staging, "BLOCK_BYTES", 256)
    texts = [f'x{number}\\"\ny' for number in range(200)]
    rows = "".join(f'{number},"{text}"\n' for number, text in enumerate(texts))

    assert sorted(texts_of(tmp_path, f"id,t\n{rows}", escape="\\")) == sorted(t.replace("\\", "") for t in texts)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("odd", ["", '5" pipe', "C:\\t", '"y" z'])
def test_no_record_with_escapes_is_divided_where_a_block_ends(odd: str, end: str) -> None:
    """Wherever it ends: below a quote that is escaped and seems to close its field too, and below a stray one."""
    fields = ['"x\\"\ny","z\\",\n\\"y"', f"a\\,b,{odd}", '"\\"\n\\"",C:\\\\', '"q ""z""\nw\\"\n",""']
    records = [f"{number},{field}\n".replace("\n", end).encode() for number, field in enumerate(fields)]
    begins, text = {0, *accumulate(map(len, records))}, b"".join(records)
    csv = Csv(TableTarget("rows", Path(), {}, reading=Reading(escape="\\")))
    assert csv.begin(ByteView.of(b"id,t,u" + end.encode() + text), final=False)

    ends = [len(csv.cut(ByteView.of(text[:place]), final=False).text) for place in range(len(text))]

    assert begins - {len(text)} == set(ends)
    assert ends == sorted(ends)


@pytest.mark.parametrize("held", [None, 1])
@pytest.mark.parametrize(
    "text",
    [
        '1,"\n"a\n#x\nb",1\n1,2\n',  # the record above ends in the line in which the field begins
        '1,2\n"a\n,\n1,2\n1,"\n#c\n1,2\n1,"\n1,2\n',  # the lines of which are records
        '1,"2,3\n"a\\"\nb",1\n1,2\n',
        '1,"\n"\\"\n#c\nb",1\n1,2\n',  # whose quotes are paired where it is open, as one is escaped
        '1,"\n"\\"\n1,\\"\nb",1\n1,2\n',
        '1,"\n"\\"\n"x\\"y",5\nb",1\n1,2\n',
    ],
)
def test_what_stands_in_a_field_is_the_same_where_a_block_ends(text: str, held: int | None) -> None:
    """No block ends in what is a field where comments and escapes are taken out, though as it is read a record may."""
    data = text.replace("1,2", "1,2\n3,4").encode()
    csv = Csv(TableTarget("rows", Path(), {}, reading=Reading(escape="\\", comment="#", skip_footer=held)))
    assert csv.begin(ByteView.of(b"id,t\n" + data), final=False)
    rewrite = csv.head.dialect.quoting.rewrite

    for place in range(len(data) + 1):
        end = len(csv.cut(ByteView.of(data[:place]), final=False).text)
        assert rewrite(data[:end]) + rewrite(data[end:]) == rewrite(data)
    assert end > 0


@pytest.mark.parametrize("late", [False, True])
def test_blanks_around_quotes_are_taken_away(tmp_path: Path, late: bool) -> None:
    """A quote after a delimiter and blanks quotes its field."""
    plain = "".join(f"{number}, x, y\n" for number in range(20_000 * late))

    texts = texts_of(tmp_path, f'id, t, u\n{plain}1, "Smith, J", x\n2, "Doe" ,y\n3, "say ""hi""", z\n')

    assert texts[-3:] == ["Smith, J", "Doe", 'say "hi"']


def test_a_quote_after_a_blank_within_a_field_stays(tmp_path: Path) -> None:
    """It is one of a text."""
    assert texts_of(tmp_path, 'id,t\n1,"he said, ""hi"", ok"\n2,x "y" z\n3,5 " pipe\n')[:2] == [
        'he said, "hi", ok',
        'x "y" z',
    ]


def test_what_is_declared_escapes(tmp_path: Path) -> None:
    """Any character may, outside quotes also the delimiter; an empty one says that nothing does."""
    assert texts_of(tmp_path, "id,t\n1,'a^'b'\n2,x^,y\n3,^z\n", escape="^", quote="'") == ["a'b", "x,y", "^z"]
    assert texts_of(tmp_path, 'id,t\n1,"say \\"hi\\" ok"\n', escape="") == ['say \\hi\\" ok"']


def test_rejects_are_told_as_they_stand_in_the_file(tmp_path: Path) -> None:
    """Line, byte and text are the file's, whatever was rewritten above."""
    text = 'id,t\n1,"say \\"hi\\" ok"\n2,"two\nlines \\"x\\""\n3,"a \\"b\\"", c\n4, "z"\n5,"y"\n'

    texts = texts_of(tmp_path, text)

    assert texts == ['say "hi" ok', 'two\nlines "x"', "z", "y"]
    (reject,) = read_rejects(tmp_path)
    assert (reject["line"], reject["raw"]) == (5, '3,"a \\"b\\"", c')


@pytest.mark.parametrize(
    ("quoting", "data", "plain"),
    [
        (Quoting(escape="\\"), rb'a,"b\"c",d', b'a,"b""c",d'),
        (Quoting(escape="\\"), rb'"a\\",b', rb'"a\",b'),
        (Quoting(escape="\\"), rb"\\host\x,\N", rb"\\host\x,\N"),
        (Quoting(escape="\\"), rb"a\,b,c", rb'"a,b",c'),
        (Quoting(escape="\\"), rb'"open,b', rb'"open,b'),
        (Quoting(comment="#"), b"#a\nb,#c\r\n#d", b"\nb,#c\r\n"),
        (Quoting(comment="#", quote=""), b'"a\n#b"', b'"a\n'),
        (Quoting(trims=True), b' "a" , "b"\n "c""d" ,e ', b'"a","b"\n"c""d",e '),
        (Quoting(trims=True), b'"a" "b", "c"\n', b'"a" "b","c"\n'),
        (Quoting(trims=True, escape="\\"), b' "a \\" , " , "b\n c" \n', b'"a "" , ","b\n c"\n'),
        (Quoting("\t", trims=True), b'a\t "b"\t\t"c"', b'a\t"b"\t\t"c"'),
    ],
)
def test_records_are_rewritten_line_by_line(quoting: Quoting, data: bytes, plain: bytes) -> None:
    """What is plain stays as it is."""
    assert quoting.rewrite(data) == plain
