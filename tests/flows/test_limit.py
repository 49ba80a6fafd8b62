"""A look before the leap: a run that takes little of each source, into a folder of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from flows.pipeline import pipeline
from tasks.config import Pipeline, load_pipeline
from tests.flows.conftest import Tidemill
from tests.site.server import Site, Sites
from tests.thorough import takes_minutes

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]

_PIPELINE = """\
name: look
sources:
  items:
    kind: api
    url: "SITE/paged/none"
    partitions: {part: [x, y]}
    pagination: {kind: page, param: page, pages_at: pages}
    records_at: items
    checks: [{min_rows: 1000}]
  cards:
    kind: pages
    start: "SITE/page-1"
    follow: "a[rel=next]::attr(href)"
    rows: li
    columns: {text: "::text"}
  sales:
    kind: files
    path: inbox/*.jsonl
    tables: {sold: {explode: lines, take: {sale: id}}}
tables:
  counts: {query: "SELECT count(*) AS n FROM items", checks: [{min_rows: 5}]}
export: {sales: sales.csv}
"""


@pytest.fixture
def site() -> Iterator[Site]:
    """Yield a site."""
    with Sites().serving() as sites:
        yield sites.add()


@pytest.fixture
def file(site: Site, tmp_path: Path) -> Path:
    """Return the pipeline file, beside a data folder with three files in its inbox."""
    inbox = tmp_path / "data" / "inbox"
    inbox.mkdir(parents=True)
    for number in range(3):
        sale = {"id": number, "lines": [{"sku": "a"}, {"sku": "b"}]}
        (inbox / f"sales-{number}.jsonl").write_text(json.dumps(sale) + "\n")
    path = tmp_path / "look.yaml"
    path.write_text(_PIPELINE.replace("SITE", site.url))
    return path


def rows(data: Path, table: str) -> int:
    """Return the number of rows of a table."""
    return len(pd.read_parquet(data / "tables" / table))


@pytest.fixture
def config(file: Path) -> Pipeline:
    """Return what the file says."""
    return load_pipeline(file)


async def test_a_limit_is_of_pages_and_files_and_its_folder_its_own(
    config: Pipeline, site: Site, tmp_path: Path
) -> None:
    """One page a partition and one file are taken; checks that fail of so few rows are told; the real folder stays empty."""
    data = tmp_path / "data"

    summary = await pipeline(config, data, limit=1)

    look = data / "limit-1"
    assert {name: rows(look, name) for name in ("items", "cards", "sales", "sold")} == {
        "items": 2 * 3,
        "cards": 2,
        "sales": 1,
        "sold": 2,
    }
    assert pd.read_parquet(look / "tables" / "counts")["n"].tolist() == [6]
    assert sum("min_rows" in warning for warning in summary.warnings) == 2
    assert summary.exports == []
    assert sorted(path.name for path in data.iterdir()) == ["inbox", "limit-1"]
    assert len(site.seen) <= 2 * 2 + 1  # of each partition one more may be on its way

    again = await pipeline(config, data, limit=1)
    assert sum(source.requests for source in again.sources.values()) == 0

    whole = await pipeline(config, data, only="ingest")
    assert whole.sources["items"].rows_received == 2 * 7
    wider = await pipeline(config, data, limit=2)
    assert (wider.sources["items"].rows_table, wider.sources["sales"].rows_table) == (2 * 6, 2)


@takes_minutes("it runs three commands")
def test_the_command_says_where_it_goes(file: Path) -> None:
    """What is taken, and where it lies, is told at the start and at the end; what cannot be is refused."""
    tidemill = Tidemill(cwd=file.parent)

    ended = tidemill("run", file, "--limit", 1, "--only", "convert")
    assert ended.returncode == 1  # nothing is landed in that folder
    assert "limit: the first page of a partition, the first file of a source; nothing is exported" in ended.stdout

    ended = tidemill("run", file, "--limit", 1)
    assert ended.returncode == 0, ended.stderr
    assert f"{file.parent / 'data' / 'limit-1'}: raw, tables" in ended.stdout
    refused = tidemill("run", file, "--limit", 1, "--only", "export")
    assert (refused.returncode, refused.stderr) == (
        2,
        f"error: {file}: --limit: nothing of what is cut short is exported; leave it, or --only export, out\n",
    )
    assert tidemill("run", file, "--limit", 0).returncode == 2
    refused = tidemill("run", file, "--limit", 1, "--data", file)
    assert f"--data: {file} is a file; name a folder" in refused.stderr
