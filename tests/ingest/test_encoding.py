"""Encodings as servers really send them: declared, declared wrongly, or not at all."""

from __future__ import annotations

import codecs

import pytest

from tasks.ingest.scraping.encoding import decode_page

CZECH = "<p>\u017elu\u0165ou\u010dk\xfd k\u016f\u0148"
FRENCH = "<p>caf\xe9, \xe9t\xe9 \u2013 10 \u20ac"
CHINESE = "<p>" + "\u4e2d\u6587\u7f51\u9875" * 5
META_1250 = '<meta charset="windows-1250">'
PRAGMA_1250 = "<meta http-equiv='Content-Type' content='text/html; charset=windows-1250'>"
XML_1250 = '<?xml version="1.0" encoding="windows-1250"?>'


@pytest.mark.parametrize(
    ("header", "body", "text", "encoding"),
    [
        # declared, and so
        ("text/html; charset=utf-8", CZECH.encode(), CZECH, "utf-8"),
        ("text/html;charset='UTF-8', text/html", CZECH.encode(), CZECH, "utf-8"),
        ('text/html; charset="windows-1250"', CZECH.encode("cp1250"), CZECH, "cp1250"),
        ("text/html", (META_1250 + CZECH).encode("cp1250"), META_1250 + CZECH, "cp1250"),
        ("text/html", (PRAGMA_1250 + CZECH).encode("cp1250"), PRAGMA_1250 + CZECH, "cp1250"),
        ("application/xhtml+xml", (XML_1250 + CZECH).encode("cp1250"), XML_1250 + CZECH, "cp1250"),
        # as browsers, latin-1 is read as windows-1252, which has the dash and the euro sign
        ("text/html; charset=iso-8859-1", FRENCH.encode("cp1252"), FRENCH, "cp1252"),
        ("text/html; charset=gb2312", CHINESE.encode("gb18030"), CHINESE, "gb18030"),
        # the header is before the meta element: it is the server's last word
        ("text/html; charset=utf-8", (META_1250 + CZECH).encode(), META_1250 + CZECH, "utf-8"),
        # a byte order mark is before both, and is no part of the text
        ("text/html; charset=iso-8859-1", codecs.BOM_UTF8 + CZECH.encode(), CZECH, "utf-8"),
        (None, codecs.BOM_UTF16_LE + CZECH.encode("utf-16-le"), CZECH, "utf-16-le"),
        ("text/html; charset=utf-8", codecs.BOM_UTF16_BE + CZECH.encode("utf-16-be"), CZECH, "utf-16-be"),
        (None, codecs.BOM_UTF32_LE + CZECH.encode("utf-32-le"), CZECH, "utf-32-le"),
        # UTF-16 without a mark
        ("text/html; charset=utf-16", CZECH.encode("utf-16-le"), CZECH, "utf-16-le"),
        ("text/html; charset=utf-16", CZECH.encode("utf-16-be"), CZECH, "utf-16-be"),
        # not declared
        (None, CZECH.encode(), CZECH, "utf-8"),
        ("text/html", FRENCH.encode("cp1252"), FRENCH, "windows-1252"),
        ("", b"", "", "utf-8"),
        # declared wrongly
        ("text/html; charset=utf-8", FRENCH.encode("cp1252"), FRENCH, "windows-1252"),
        ("text/html; charset=utf-8", (META_1250 + CZECH).encode("cp1250"), META_1250 + CZECH, "cp1250"),
        ("text/html; charset=utf-16", CZECH.encode(), CZECH, "utf-8"),
        ("text/html; charset=us-ascii", "<p>\u201d".encode(), "<p>\u201d", "utf-8"),  # it has a byte that no text has
        (None, ('<meta charset="utf-16">' + CZECH).encode(), '<meta charset="utf-16">' + CZECH, "utf-8"),
        (None, codecs.BOM_UTF8 + FRENCH.encode("cp1252"), FRENCH, "windows-1252"),
        # UTF-8 declared as latin-1 cannot be told from latin-1
        ("text/html; charset=iso-8859-1", "<p>\xe9".encode(), "<p>\xc3\xa9", "cp1252"),
        # declared by a name that there is not, or that is of no text
        ("text/html; charset=utf-9", CZECH.encode(), CZECH, "utf-8"),
        ("text/html; charset=none", (META_1250 + CZECH).encode("cp1250"), META_1250 + CZECH, "cp1250"),
        ("text/html; charset=base64", CZECH.encode(), CZECH, "utf-8"),
        ("text/html; charset=unicode_escape", b"<p>\\d", "<p>\\d", "utf-8"),
        ("text/html; charset=punycode", b"<p>a-b", "<p>a-b", "utf-8"),
        # cut within a character, or with a stray byte: the rest is as declared
        ("text/html; charset=utf-8", CZECH.encode() + b"\xc5", CZECH + "\ufffd", "utf-8"),
        ("text/html; charset=gbk", CHINESE.encode("gbk") + b"\xff<p>", CHINESE + "\ufffd<p>", "gb18030"),
        (None, codecs.BOM_UTF16_LE + CZECH.encode("utf-16-le") + b"\0", CZECH + "\ufffd", "utf-16-le"),
        # any bytes are a text
        (None, b"<p>\x81\xe9\x93", "<p>\x81\xe9\u201c", "windows-1252"),
    ],
)
def test_a_page_is_read_as_it_is_encoded(header: str | None, body: bytes, text: str, encoding: str) -> None:
    """The first declaration that all bytes fit is believed, then UTF-8, then windows-1252."""
    assert decode_page(header, body) == (text, encoding)
