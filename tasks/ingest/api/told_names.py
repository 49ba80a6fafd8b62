"""The names by which answers of APIs tell of further pages, of counts and of their rows."""

from __future__ import annotations

import re

_NO_SIGNS = re.compile(r"[^a-z]")


def plain(name: str) -> str:
    """Return a name as it is compared: in small letters, and without signs, @odata.nextLink as odatanextlink."""
    return _NO_SIGNS.sub("", name.lower())


NEXT = frozenset(
    [
        "next",
        "nexturl",
        "nexturi",
        "nextpage",
        "nextpageurl",
        "nextpagetoken",
        "nextpagelink",
        "nexttoken",
        "nextcursor",
        "nextlink",
        "nexthref",
        "nextoffset",
        "nextrecordsurl",
        "nextmarker",
        "odatanextlink",
        "continuationtoken",
    ]
)
"""What comes after this page: its address, a cursor, a number."""
MORE = frozenset(
    [
        "hasmore",
        "more",
        "hasnext",
        "hasnextpage",
        "hasmoreitems",
        "morerecords",
        "incompleteresults",
        "exceededtransferlimit",
    ]
)
"""Whether anything does."""
TOTALS = frozenset(
    [
        "total",
        "totalcount",
        "totalresults",
        "totalrecords",
        "totalrows",
        "totalitems",
        "totalhits",
        "totalelements",
        "totalsize",
        "numfound",
        "recordstotal",
        "odatacount",
        "count",
    ]
)
"""How many rows there are."""
PAGES = frozenset(
    ["pages", "totalpages", "pagecount", "pagestotal", "numpages", "nbpages", "lastpage", "numberofpages"]
)
"""How many pages there are."""
PAGE_NUMBERS = frozenset(["page", "currentpage", "pagenumber", "pageno", "pagenum", "number"])
"""Which of them this one is."""
OFFSETS = frozenset(["offset", "skip", "start", "startindex", "from"])
"""How many rows are before this page."""
SIZES = frozenset(["limit", "perpage", "pagesize", "size", "itemsperpage", "take", "rows", "pagelimit"])
"""How many rows a full page has."""
ABOUT = frozenset(
    ["meta", "metadata", "pagination", "paging", "page", "pageinfo", "links", "info", "properties", "responsemetadata"]
)
"""Objects beside the rows, or above them, in which these stand."""
TURNED = frozenset(["page", "pagenumber", "pageno", "p", "offset", "skip", "start", "startindex", "cursor"])
"""Partitions, and parameters, that are the pages themselves."""
LISTS = frozenset(
    [
        "data",
        "items",
        "results",
        "result",
        "records",
        "rows",
        "value",
        "values",
        "entries",
        "objects",
        "hits",
        "features",
        "list",
        "content",
        "elements",
        "documents",
        "docs",
        "members",
        "nodes",
        "edges",
        "response",
    ]
)
"""Lists of rows."""
NO_ROWS = frozenset(["error", "errors", "warning", "warnings", "links"])
"""Lists of something else."""
