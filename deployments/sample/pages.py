"""The sample site's HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from deployments.sample.invented import Article


def table_page(name: str, columns: Sequence[str], rows: Sequence[Sequence[str]], next_url: str | None) -> str:
    """Return a page with one table, whose id is `name`, and a link to the next page if there is one."""
    head = _cells("th", columns)
    body = "\n".join(f"<tr>{_cells('td', row)}</tr>" for row in rows)
    table = f'<table id="{escape(name)}">\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>'
    return _page(name.capitalize(), table, next_url)


def blog_page(number: int, articles: Sequence[Article], next_url: str | None) -> str:
    """Return a page of the blog, and a link to the next page if there is one."""
    posts = "\n".join(
        f'<article>\n<h2 class="post-title">{escape(a.title)}</h2>\n<p>{escape(a.text)}</p>\n</article>'
        for a in articles
    )
    return _page(f"Notes from the mill, page {number}", posts, next_url)


def missing_page(path: str) -> str:
    """Return the page that says that there is nothing at `path`."""
    return _page("Not found", f"<p>There is no page {escape(path)} here.</p>", None)


def _page(title: str, content: str, next_url: str | None) -> str:
    link = f'\n<nav><a rel="next" href="{escape(next_url)}">Next page</a></nav>' if next_url else ""
    return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{escape(title)}</title></head>
<body>
<h1>{escape(title)}</h1>
{content}{link}
</body>
</html>
"""


def _cells(tag: str, values: Sequence[str]) -> str:
    return "".join(f"<{tag}>{escape(value)}</{tag}>" for value in values)
