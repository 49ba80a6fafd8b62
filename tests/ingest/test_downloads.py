"""Files that rows lead to: kept once, by what is in them, with their path, size and type beside the row."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tasks.core.errors import SourceError, WrongPagesError
from tasks.ingest.scraping.downloads import Downloads
from tests.ingest.sources import land_one, list_files, pages, read_rows
from tests.site.server import Site

PICTURE = b"\x89PNG 1"
NAME = f"{hashlib.sha256(PICTURE).hexdigest()}.png"
DOWNLOAD: dict[str, Any] = {"download": {"select": "img::attr(src)", "into": "picture"}, "follow": None}
KEPT = {"picture_path": f"picture/{NAME}", "picture_bytes": len(PICTURE), "picture_type": "image/png"}
NONE = dict.fromkeys(KEPT)
ASKED = ["/gone.png", "/picture/1.png", "/picture/1.png", "/picture/same-as-1", "/picture/same-as-1"]


async def test_files_are_kept_once_beside_their_rows(site: Site, tmp_path: Path) -> None:
    """Each address is asked for once (twice where it failed), a file of the same bytes is one; what is gone or elsewhere is told."""
    landed = await land_one(pages(site, "/pictures", **DOWNLOAD), tmp_path)

    *rows, reject = read_rows(landed.path)
    has = {"a": KEPT, "b": NONE, "c": KEPT, "d": NONE, "e": KEPT, "f": NONE}
    assert rows == [{"name": name, **columns} for name, columns in has.items()]
    assert reject["$reject"] == f"download: {site.url}/gone.png: this file is gone: 404 Not Found"
    assert sorted(site.paths) == [*ASKED, "/pictures"]
    assert (tmp_path / "picture" / NAME).read_bytes() == PICTURE
    assert [name for name in list_files(tmp_path / "picture") if name.startswith(".") or name.endswith(".png")] == [
        NAME
    ]
    assert landed.warnings[0].startswith(
        "download, follow or links lead to http://other.example.com/3.png, and were left"
    )


async def test_what_is_there_is_not_asked_for_again(site: Site, tmp_path: Path) -> None:
    """Only a file that is gone, cut off, or of a run with --fresh is."""
    source = pages(site, "/pictures", **DOWNLOAD)
    first = read_rows((await land_one(source, tmp_path)).path)
    asked = []
    for content, fresh in ((None, False), (b"", False), (None, True)):
        before = len(site.seen)
        if content is not None:
            (tmp_path / "picture" / NAME).write_bytes(content)
        assert read_rows((await land_one(source, tmp_path, fresh=fresh)).path) == first
        asked.append(sorted(set(site.paths[before:])))

    everything = sorted({*ASKED, "/pictures"})
    assert asked == [["/gone.png", "/pictures"], everything, everything]
    assert (tmp_path / "picture" / NAME).read_bytes() == PICTURE


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        ("huge", "larger than download.max_bytes (100,000); raise it if it is the source's"),
        ("huge-by-length", "larger than download.max_bytes (100,000); raise it if it is the source's"),
        ("gzip-bomb", "larger than download.max_bytes (100,000); raise it if it is the source's"),
        ("403-always", "not given to us: 403 Forbidden"),
        ("404-always", "gone: 404 Not Found"),
    ],
)
async def test_a_file_that_cannot_be_had_is_a_reject(site: Site, tmp_path: Path, fault: str, cause: str) -> None:
    """The other files are kept, nothing of this one is, and the row has none."""
    download = {"select": "img::attr(src)", "into": "picture", "max_bytes": 100_000}
    landed = await land_one(pages(site, f"/pictured/{fault}", download=download, follow=None), tmp_path)

    *rows, reject = read_rows(landed.path)
    assert rows == [{"name": name, **columns} for name, columns in {"a": KEPT, "b": NONE, "c": KEPT}.items()]
    assert reject["$reject"] == f"download: {site.url}/{fault}-picture/2.png: this file is {cause}"
    assert [name for name in list_files(tmp_path / "picture") if "." in name] == [NAME]


async def test_a_pair_with_the_name_of_a_file_column_is_told(site: Site, tmp_path: Path) -> None:
    """The column is that of the file, once, and a warning names the pair that is left out."""
    landed = await land_one(pages(site, "/pictures-with-pairs", pairs="dl", **DOWNLOAD), tmp_path)

    assert read_rows(landed.path) == [{"name": "a", "year": "1901", **KEPT}]
    assert landed.warnings == (
        f"pairs: 'dl' has a picture_type, the first 'oil' on {site.url}/pictures-with-pairs, which is left out, "
        "as download.into makes a column of that name; give it another name",
    )


@pytest.mark.parametrize("fault", ["500-always", "truncated-always"])
async def test_a_file_that_may_come_later_fails_its_partition(site: Site, tmp_path: Path, fault: str) -> None:
    """No half of it is kept, and the next run asks for it, and not for what is there."""
    source = pages(site, f"/pictured/{fault}", **DOWNLOAD)
    with pytest.raises(SourceError, match=rf"{fault}-picture/2.png failed 3 times, at last with: "):
        await land_one(source, tmp_path)

    kept = list_files(tmp_path / "picture")
    with pytest.raises(SourceError):
        await land_one(source, tmp_path)

    assert [name for name in kept if "." in name] == [NAME]
    assert list_files(tmp_path / "picture") == kept
    assert {path: site.paths.count(path) for path in site.paths if "-picture" in path} == {
        f"/{fault}-picture/{number}.png": 6 if number == 2 else 1 for number in (1, 2, 3)
    }


async def test_a_selector_that_leads_to_no_file_is_one_error(site: Site, tmp_path: Path) -> None:
    """The error names the selector and the page."""
    none = {"download": {"select": "video::attr(src)", "into": "film"}, "follow": None}

    with pytest.raises(
        WrongPagesError, match=r"download.select: 'video::attr\(src\)' has no address in any of 6 rows on"
    ):
        await land_one(pages(site, "/pictures", **none), tmp_path)


async def test_a_row_may_be_its_file_alone(tmp_path: Path) -> None:
    """Where privacy leaves nothing else of it."""

    async def bring(_: httpx.URL) -> httpx.Response:
        return httpx.Response(200, headers={"Content-Type": "image/png"}, content=PICTURE)

    downloads = Downloads(tmp_path, "picture", anew=False)

    lines, rejects = await downloads.add_to([b"{}", b"{}"], [httpx.URL("http://localhost/1.png"), None], bring)

    assert [json.loads(line) for line in lines] == [KEPT, NONE]
    assert rejects == []
