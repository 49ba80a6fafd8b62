"""Texts of users, files and hosts as a page of Markdown or a terminal may show them: nothing in them is markup."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence

# Letters, digits, and signs among them that mean nothing to Markdown; _ within a word does not.
_PLAIN = re.compile(r"(?!.*(www\.|:/))[-+(]?[^\W_]([\w ,.;'()/…%+=?!-]|:(?=[\d ]))*(?<![_ ])", re.IGNORECASE)
_NOT_IN_ALT_TEXT = re.compile(r"[\W_]+")
_BACKTICKS = re.compile("`+")


def escape(text: str, characters: int = 80, *, cell: bool = True) -> str:
    """Return a text as Markdown, on one line, cut at so many characters; for a `cell` of a table unless told otherwise.

    What may be markup, or a link, becomes code: Prefect's first UI shows the
    escapes of other text as they are written.
    """
    line = one_line(text[: characters + 1])
    line = line if len(line) <= characters else f"{line[:characters]}…"
    return line if not line or _PLAIN.fullmatch(line) else _code(line, cell=cell)


def one_line(text: str) -> str:
    """Return a text with line breaks, and what else does not show, as escapes."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def count(number: int, noun: str) -> str:
    """Return a number of things in words.

    >>> count(2, "row")
    '2 rows'

    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _code(line: str, *, cell: bool) -> str:
    """Return a line as code, between more backticks than it has in a row."""
    if cell:  # a bar ends a cell in code as well, unless there is just one backslash before it
        line = line.replace("\\|", "\\\u200b|").replace("|", "\\|")
    fence = "`" * (max(map(len, _BACKTICKS.findall(line)), default=0) + 1)
    space = " " if line[0] in "` " or line[-1] in "` " else ""
    return f"{fence}{space}{line}{space}{fence}"


def fence(text: str, language: str) -> str:
    """Return a text of lines as a block of code, which ends where it does, whatever stands in it."""
    marks = "`" * (max(2, *map(len, _BACKTICKS.findall(text)), 0) + 1)
    return f"{marks}{language}\n{text}\n{marks}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of cells that are Markdown; a column whose name ends in > is of figures."""
    names = [name.rstrip(">") for name in header]
    lines = [names, ["---:" if name.endswith(">") else "---" for name in header], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def picture(svg: str, alt_text: str) -> str:
    """Return a picture as an image with its data within."""
    return f"![{_NOT_IN_ALT_TEXT.sub(' ', one_line(alt_text))}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"


def draw_bars(counts: Sequence[int], width: int = 120, height: int = 24) -> str:
    """Return bars of these heights as SVG; none that is not zero is too small to be seen."""
    step, most = width / len(counts), max(*counts, 1)
    gap = min(1.0, step / 8)
    bars = []
    for place, count in enumerate(counts):
        if count:
            tall = max(count / most * height, 1)
            bars.append(f"M{place * step:.1f} {height}v-{tall:.1f}h{step - gap:.1f}v{tall:.1f}z")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">'
        f'<path fill="#3b82f6" d="{"".join(bars)}"/></svg>'
    )


LINE_CHARACTERS = 1500
_KEPT_AT_END = 300  # where a sentence has its cure


def printable(text: str) -> str:
    """Return one line in which control characters and their like are escaped, and whose middle is left out where it is long."""
    left_out = len(text) - LINE_CHARACTERS
    if left_out > 0:
        head = text[: LINE_CHARACTERS - _KEPT_AT_END]
        text = f"{head} ... ({left_out:,} characters left out) ... {text[-_KEPT_AT_END:]}"
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)
