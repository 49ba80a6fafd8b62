"""The encoding of a file, and its bytes as UTF-8."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from charset_normalizer import from_bytes

from tasks.convert.schema.blocks import EXAMPLE

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
SAMPLE_BYTES = 64 * 1024
_JUDGED_BYTES = 1024 * 1024  # from the first byte on that is not ASCII: to judge more costs time, and tells no more
_SIGNS = "€‘’“”–—…°§«»¿¡£·´±²³½µ©®"  # noqa: RUF001 - as cp1252 has them
_UNDECODABLE = "\udcff"  # written as the byte FF, which no UTF-8 has: its line is a reject
_ERRORS = "tidemill-undecodable"
_NOT_ASCII = re.compile(rb"[\x80-\xff]")
_BEYOND_ASCII = re.compile("[^\x00-\x7f]+")
# Where these stand within a word they are letters of another encoding; dots and accents may be what they are.
_SIGN_IN_WORD = re.compile(r"(?<=[^\W\d_])[\x80-\x9f¡£¥¦©ª«¬®¯±³µ¶¹º»¼¾¿](?=[^\W\d_])")
_NEIGHBOURS = ("cp1252", "cp1250", "cp1254")
_DOUBT_CHARACTERS = 60
_CENTRAL = ("cp1250", "iso8859_2")


def _replace(error: UnicodeError) -> tuple[str | bytes, int]:
    """Return what stands for what is no text, or for a text that no UTF-8 has."""
    if isinstance(error, UnicodeEncodeError):
        return b"\xff", error.end
    assert isinstance(error, UnicodeDecodeError)
    return _UNDECODABLE, error.end


codecs.register_error(_ERRORS, _replace)


@dataclass(frozen=True)
class Encoding:
    """The name of an encoding, how many bytes of a mark stand before the text, and how it is known."""

    name: str = "utf-8"
    mark_bytes: int = 0
    how: str = "by default"
    doubt: str = ""
    """A line that another encoding would make another text of, where nothing is certain."""

    @property
    def warning(self) -> str:
        """Return a sentence on the doubt; nothing without one."""
        said = f"is no UTF-8, and read as {self.name}{EXAMPLE}{self.doubt!r}; if that is wrong or to be sure, declare read.encoding"
        return said if self.doubt else ""


def detect_encoding(
    data: bytes, declared: str | None = None, *, is_unicode: bool = False, is_complete: bool = False
) -> Encoding:
    """Return the encoding of a file that begins with `data`.

    As declared, else as a byte order mark tells; else UTF-8, unless what is not
    ASCII in it is more often no UTF-8 than it is: then as charset-normalizer
    finds. A single line that is no UTF-8 in a file that is does not change it.
    JSON `is_unicode`: what is no UTF-8 in it is damaged. Where the
    file `is_complete`, a character cannot be cut off at its end.
    """
    mark = next(((len(mark), name) for mark, name in _MARKS if data.startswith(mark)), None)
    if declared is not None:
        return _declared(data, declared, mark)
    if mark is not None:
        return Encoding(mark[1], mark[0], "by its byte order mark")
    if wide := _wide(data[:SAMPLE_BYTES]):
        return Encoding(wide, 0, "detected")
    if is_unicode or data.isascii() or _is_mostly_utf8(data, is_complete=is_complete):
        return Encoding()
    name = _detect_narrow(data)
    return Encoding(name, 0, "detected", _doubtful_line(data, name))


def _declared(data: bytes, name: str, mark: tuple[int, str] | None) -> Encoding:
    """Return what is declared; of UTF-16 and UTF-32 the mark, or the bytes, tell the order."""
    known = codecs.lookup(name).name
    if mark is not None and mark[1].startswith(known.removesuffix("-sig")):
        return Encoding(mark[1], mark[0], "declared")
    if known in ("utf-16", "utf-32"):
        return Encoding((known == "utf-16" and _wide(data[:SAMPLE_BYTES])) or f"{known}-le", 0, "declared")
    return Encoding(name, mark[0] if mark is not None and mark[1] == known else 0, "declared")


def _wide(sample: bytes) -> str | None:
    """Return UTF-16 where every other byte of a text is NUL, as that of Latin letters is."""
    even, odd = sample[::2], sample[1::2]
    if not odd or not sample.count(b"\0"):
        return None
    if odd.count(b"\0") > 0.6 * len(odd) and even.count(b"\0") < 0.05 * len(even):
        return "utf-16-le"
    return "utf-16-be" if even.count(b"\0") > 0.6 * len(even) and odd.count(b"\0") < 0.05 * len(odd) else None


def _is_mostly_utf8(data: bytes, *, is_complete: bool) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        if not is_complete and error.start >= len(data) - 3 and error.reason == "unexpected end of data":
            return True
    else:
        return True
    sample = _judged(data)
    text = sample.decode("utf-8", "replace")
    wrong = text.count("\ufffd") - sample.count("\ufffd".encode())
    right = len(text) - len(text.encode("ascii", "ignore")) - wrong
    return right > wrong


def _judged(data: bytes) -> bytes:
    """Return the part of a file that tells of its encoding."""
    first = _NOT_ASCII.search(data)
    start = max(0, data.rfind(b"\n", 0, first.start())) if first else 0
    return data[start : start + _JUDGED_BYTES]


def _detect_narrow(data: bytes) -> str:
    """Return a one-byte encoding; cp1252, which most such files are in, unless it cannot be."""
    lines = [line for line in _judged(data).splitlines() if not line.isascii()]
    sample = b"\n".join(lines)[:SAMPLE_BYTES]
    try:
        text = sample.decode("cp1252")
    except UnicodeDecodeError:
        text = ""
    # A guess from few letters is a bad one: accents of western languages decide for cp1252.
    beyond = _BEYOND_ASCII.findall(text)
    western = sum(1 for run in beyond for character in run if "\xc0" <= character <= "\xff" or character in _SIGNS)
    strange = sum(map(len, beyond)) - western
    runs = max(map(len, beyond), default=0)
    within = len(_SIGN_IN_WORD.findall(text))
    if text and western > 3 * (strange + within) and runs <= 2:  # noqa: PLR2004 - other scripts have whole words beyond ASCII
        return "cp1252"
    # Polish, Czech or Hungarian: the library takes names in them for anything.
    if within > 1 and sum(map(str.isalpha, text)) > 3 * (western + strange):
        texts = {name: sample.decode(name, "replace") for name in _CENTRAL}
        return min(texts, key=lambda name: len(_SIGN_IN_WORD.findall(texts[name])) + texts[name].count("\ufffd"))
    best = from_bytes(sample).best()
    return best.encoding if best is not None else "cp1252" if text else "latin-1"


def _doubtful_line(data: bytes, name: str) -> str:
    """Return a line with characters that are others in an encoding of a neighbour; German has none, and Polish does."""
    judged = _judged(data)
    if len({judged.decode(each, "replace") for each in (name, *_NEIGHBOURS)}) == 1:  # mostly
        return ""
    for line in filter(_NOT_ASCII.search, judged.splitlines()):
        texts = {line.decode(each, "replace") for each in (name, *_NEIGHBOURS)}
        if len(texts) > 1:
            return line.decode(name, "replace").strip()[:_DOUBT_CHARACTERS]
    return ""


class Transcoder:
    """A file's bytes, block by block, as UTF-8; what cannot be decoded becomes a byte that UTF-8 has not."""

    def __init__(self, encoding: Encoding) -> None:
        self._skip = encoding.mark_bytes
        is_utf8 = codecs.lookup(encoding.name).name in ("utf-8", "ascii")
        self._decoder = None if is_utf8 else codecs.getincrementaldecoder(encoding.name)(_ERRORS)

    @property
    def keeps(self) -> bool:
        """Return whether the bytes are UTF-8 as they are, but for a mark before them."""
        return self._decoder is None

    def to_utf8(self, block: bytes, *, final: bool) -> bytes:
        """Return the block's text, and at the end what is left of it."""
        if self._skip:
            block, self._skip = block[self._skip :], 0
        if self._decoder is None:
            return block
        return self._decoder.decode(block, final).encode("utf-8", _ERRORS)
