"""A small pipeline like the demo's, made without Prefect: files, partitions of their own and in a pack, pages, SQL, Python, and a model."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.config import Pipeline, Source
from tasks.config.base import trust
from tasks.convert.table.commit import commit_table
from tasks.convert.table.conversion import draft_table
from tasks.convert.table.job import make_job
from tasks.convert.table.state import find_changed, open_table
from tasks.convert.tasks import convert_files
from tasks.core.storage import DataFolder
from tasks.raw.files import RawManifest
from tasks.raw.folder import RawFolder
from tasks.raw.packs import PackInput
from tasks.raw.partitions import list_partitions, request_fingerprint
from tasks.tables.made import MadeTableJob, make_table
from tasks.tables.order import order_tables
from tasks.train.registry import Version
from tests.convert.conftest import frames_of
from tests.train.publishing import judge_tables

RUNS = ("run-1", "run-2", "run-3")
MODULE = "def doubled(sales):\n    return sales.assign(twice=sales.amount * 2)\n"
QUERY = "SELECT s.amount, t.warm, u.twice, p.dear AS y FROM sales s JOIN daily t USING (day) JOIN twice u USING (day, amount) JOIN prices p USING (day)"


@dataclass(frozen=True)
class Shop:
    """The pipeline in its data folder."""

    root: Path
    config: Pipeline

    @property
    def folder(self) -> DataFolder:
        """Return its data folder."""
        return DataFolder.at(self.root)

    def drop(self, name: str, *amounts: int) -> Path:
        """Drop a file of sales, one a day."""
        path = self.root / "inbox" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("day,amount\n" + "".join(f"{day},{amount}\n" for day, amount in enumerate(amounts)))
        return path

    def land(self, source: str, partition: str, *lines: str, packed: bool = False) -> None:
        """Land a partition, in a file of its own or in a pack."""
        asked = self.config.sources[source]
        assert asked.kind != "files"
        (fingerprint,) = [request_fingerprint(asked, each) for each in list_partitions(asked) if each.name == partition]
        frame = frames_of(*lines)
        known = RawManifest(fingerprint, len(lines), 1, len(frame), "0" * 64, "2026-01-01T00:00:00+00:00")
        path = self.folder.raw(source)
        path.mkdir(parents=True, exist_ok=True)
        folder, piece = RawFolder(path), PackInput(partition, known, frame)
        if packed:
            folder.pack([piece])
        else:
            folder.put(piece)

    def convert(self) -> None:
        """Convert what has changed, and make the tables that are made of others."""
        for name, source in self.config.sources.items():
            _convert(name, source, self.folder)
        for name, inputs in order_tables(self.config).items():
            job = MadeTableJob(name, self.config.tables[name], inputs, self.folder, self.config.name)
            make_table(job, threading.Event(), fresh=False)

    def train(self) -> Version:
        """Learn from the tables as they stand, and publish what comes of it."""
        tables = {name: self.folder.table(name) for name in self.config.table_names}
        return judge_tables(self.root, "shop", tables, query=QUERY, metric="accuracy").publish()


def _convert(name: str, source: Source, folder: DataFolder) -> None:
    job = make_job(name, source, folder, allow_partial=False, pipeline="shop")
    manifest = open_table(job, fresh=False)
    changed = find_changed(job, manifest)
    if changed:
        commit_table(asyncio.run(draft_table(job, manifest, changed, convert_files.fn)))


def shop_in(root: Path) -> Shop:
    """Return the pipeline in a data folder, its sources landed and dropped, nothing converted yet."""
    root.mkdir(exist_ok=True)
    module = root.parent / "shop_functions.py"
    module.write_text(MODULE)
    python = f"{module}:doubled"
    trust("function", python)
    sources: Mapping[str, Any] = {
        "sales": {"kind": "files", "path": "inbox/*.csv"},
        "weather": {"kind": "api", "url": "http://127.0.0.1/weather", "partitions": {"half": ["1", "2"]}, "key": ["day"]},
        "prices": {"kind": "pages", "start": "http://127.0.0.1/prices", "rows": "tr", "columns": {"day": "td::text", "dear": "b::text"}},
    }  # fmt: skip
    tables = {
        "daily": {"query": "SELECT day, degrees > 10 AS warm FROM weather"},
        "twice": {"python": python, "inputs": ["sales"]},
    }
    shop = Shop(root, Pipeline.model_validate({"name": "shop", "sources": sources, "tables": tables}))
    shop.drop("a.csv", *range(40))
    days = [f'{{"day": {day}, "degrees": {day % 25}}}' for day in range(40)]
    shop.land("weather", "half=1", *days[:20], packed=True)
    shop.land("weather", "half=2", *days[20:], packed=False)
    (pages,) = list_partitions(shop.config.sources["prices"])  # type: ignore[arg-type]
    shop.land("prices", pages.name, *(f'{{"day": "{day}", "dear": "{day % 2}"}}' for day in range(40)))
    return shop
