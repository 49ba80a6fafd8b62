"""CSV with escapes, comments or blanks around quotes is rewritten all at once as it is field by field."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.convert.files.byte_view import ByteView
from tasks.convert.formats.csv import tokens
from tasks.convert.formats.csv.quoting import Quoting
from tasks.convert.formats.csv.tokens import rewrite_tokens
from tests.convert.conftest import PROPERTY
from tests.convert.test_csv_alike import texts

_MARKS = '"\\\\#,;\n\r a\0'  # what tells fields apart, and little else


def patterns(quoting: Quoting, *, may_be_open: bool) -> tuple[re.Pattern[bytes], re.Pattern[bytes]]:
    """Return the patterns of what is rewritten, and of what is escaped in a field."""
    escape, quote, delimiter = (re.escape(each).encode() for each in (quoting.escape, quoting.quote, quoting.delimiter))
    begin, end = b"(?<![^\\r\\n%b])" % delimiter, b"(?=[\\r\\n%b]|\\Z)" % delimiter
    blank = b"" if not quoting.trims else b" *+" if quoting.delimiter == "\t" else b"[ \\t]*+"
    tokens = []
    if quoting.comment:
        tokens.append(b"(?<![^\\r\\n])(?P<comment>%b[^\\r\\n]*)" % re.escape(quoting.comment).encode())
    if quote:
        inner = b"[^%b%b]|%b[\\s\\S]|%b%b" % (quote, escape, escape or b"(?!)", quote, quote)
        tokens.append(b"%b%b%b(?P<quoted>(?:%b)*+)%b%b%b" % (begin, blank, quote, inner, quote, blank, end))
        if may_be_open:
            tokens.append(b"%b%b%b(?P<open>(?:%b)*+)\\Z" % (begin, blank, quote, inner))
    if escape:
        plain = b"[^%b%b%b\\r\\n]" % (delimiter, quote, escape)
        any_escaped, special = b"%b[^\\r\\n]" % escape, b"%b[%b%b]" % (escape, delimiter, quote)
        bare = b"(?:%b|(?!%b)%b)*+%b(?:%b|%b)*+" % (plain, special, any_escaped, special, plain, any_escaped)
        tokens.append(b"%b(?P<bare>%b)%b" % (begin, bare, end))
    return re.compile(b"|".join(tokens)), re.compile(b"%b([%b%b%b])" % (escape, escape, quote, delimiter))


def rewritten(data: bytes, quoting: Quoting, *, may_be_open: bool) -> bytes:
    """Return what `rewrite_tokens` ought to, field by field."""
    tokens, escaped = patterns(quoting, may_be_open=may_be_open)
    quote, pieces, end = quoting.quote.encode(), b"", 0
    for match in tokens.finditer(data):
        if match.start() < end or match.lastgroup is None:
            continue
        pieces, end = pieces + data[end : match.start()], match.end()
        if match.lastgroup == "comment":
            above = re.search(rb"[\r\n]*\Z", pieces)  # each is to end a line by itself
            assert above is not None
            ends = above[0].replace(b"\r\n", b"\0").replace(b"\r", b"\n").replace(b"\0", b"\r\n")
            pieces = pieces[: above.start()] + ends
            continue
        field = match[match.lastgroup]
        if quoting.escape:
            field = escaped.sub(lambda found: quote * 2 if found[1] == quote else found[1], field)
        pieces += quote + field + (b"" if match.lastgroup == "open" else quote)
    return pieces + data[end:]


@PROPERTY
@given(
    st.text(_MARKS, max_size=40)
    | st.lists(st.sampled_from(['"', '""', "\\", ",", "\n", "\r\n", "\n#", "a", " "]), max_size=40).map("".join)
    | texts().map(lambda text: text.replace("a", "\n#").replace("x", '\\"')),
    st.builds(
        Quoting,
        quote=st.sampled_from(['"', '"', ""]),
        escape=st.sampled_from(["", "\\"]),
        comment=st.sampled_from(["", "#"]),
        trims=st.sampled_from([False, False, True]),
    ),
    st.booleans(),
    st.sampled_from([1, 8, 1024]),
)
def test_what_is_rewritten_at_once_is_so_field_by_field(
    text: str, quoting: Quoting, may_be_open: bool, piece_bytes: int
) -> None:
    """Comments, escapes and blanks around quotes, wherever they stand, be quotes closed or not, and however few lines are rewritten at a time."""
    data = text.encode("utf-8", "surrogateescape")
    if quoting.is_plain:
        assert quoting.rewrite(data, may_be_open=may_be_open) == data
        return

    expected = rewritten(data, quoting, may_be_open=may_be_open)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokens, "_PIECE_BYTES", piece_bytes)
        assert rewrite_tokens(ByteView.of(data), quoting, may_be_open=may_be_open).plain.data == expected
    assert quoting.rewrite(data, may_be_open=may_be_open) == expected


@pytest.mark.parametrize("comment", ["#c", "#"])
def test_a_comment_leaves_its_line_blank(comment: str) -> None:
    """Whatever ends the line above and its own: lines below keep their numbers."""
    data = f"1\r\r{comment}\n2\n{comment}\r3".encode()

    assert Quoting(comment="#").rewrite(data) == b"1\n\n\n2\n\r3"
