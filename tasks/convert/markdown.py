"""Any text as Markdown that shows it as it is: nothing in it is markup."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence

from tasks.convert.check_words import one_line


def escape(text: str, characters: int = 80) -> str:
    """Return a text as Markdown, on one line, cut at so many characters.

    All that may be markup, or end a table's cell, is written as a character
    reference: these are text wherever they stand.
    """
    line = one_line(text[: characters + 1])
    line = line if len(line) <= characters else f"{line[:characters]}…"
    return "".join(letter if letter.isalnum() or letter in " ,…" else f"&#{ord(letter)};" for letter in line)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of cells that are Markdown; a column whose name ends in > is of figures."""
    names = [name.rstrip(">") for name in header]
    lines = [names, ["---:" if name.endswith(">") else "---" for name in header], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def picture(svg: str, said: str) -> str:
    """Return a picture as an image with its data within."""
    return f"![{escape(said)}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"


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
