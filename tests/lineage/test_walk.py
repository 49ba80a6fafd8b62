"""From a model back to the bytes that it was made of, also when what it was made of has moved on."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest
import xxhash

from flows.cli.lineage import show_lineage
from tasks.config import ApiSource, Pipeline
from tasks.core.errors import ConfigError
from tasks.core.isolation.client import stop_call_server
from tasks.core.storage import DataFolder, hash_file, read_json, write_json
from tasks.core.tables import MANIFEST
from tasks.lineage.records import LINEAGE, RUN, keep_parents
from tasks.lineage.remains import DataNow
from tasks.raw.children import keep_children
from tasks.raw.folder import RawFolder
from tasks.raw.parents import find_children
from tasks.raw.partitions import list_partitions
from tasks.reports.lineage import describe, find_subject
from tasks.train.registry import Version
from tests.lineage.conftest import QUERY, Shop, shop_in

Value = TypeVar("Value")
FILES = ["inbox/a.csv", "raw/prices/all.jsonl.zst", "raw/weather/half=1.jsonl.zst", "raw/weather/half=2.jsonl.zst"]


def made_by(run: str, make: Callable[[], Value]) -> Value:
    """Make something as a flow run of this id does."""
    token = RUN.set(run)
    try:
        return make()
    finally:
        RUN.reset(token)


def walk(root: Path, name: str, *, hashes: bool = False) -> dict[str, Any]:
    """Return what the command tells of a name."""
    folder = DataFolder.at(root)
    return describe(find_subject(folder, name), DataNow(folder, hashes=hashes), folder)


def files_of(told: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Return the hash of each file of all tables, and what is left of it."""
    return {file["name"]: (file["xxh3_128"], file["now"]) for table in told["tables"] for file in table["files"]}


def table_of(told: dict[str, Any], name: str) -> dict[str, Any]:
    """Return what is told of a table that stands once in it."""
    (found,) = [table for table in told["tables"] if table["name"] == name]
    return dict(found)


@pytest.fixture(scope="module")
def _trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Shop, Version]]:
    """Yield a pipeline that has run once, to be copied."""
    shop = shop_in(tmp_path_factory.mktemp("shop") / "data")
    made_by("run-1", shop.convert)
    yield shop, made_by("run-1", shop.train)
    stop_call_server()


@pytest.fixture
def shop(_trained: tuple[Shop, Version], tmp_path: Path) -> Shop:
    """Return a copy of the pipeline that has run once."""
    made, _ = _trained
    shutil.copytree(made.root, tmp_path / "data", symlinks=True)
    return replace(made, root=tmp_path / "data")


def test_a_model_leads_back_to_the_bytes(shop: Shop) -> None:
    """Each file, partition, packed or not, and page source has the hash of the bytes that lie there; each step names its run."""
    told = walk(shop.root, "shop", hashes=True)

    raw = RawFolder(shop.folder.raw("weather"))
    bytes_of = {name: (shop.root / name).read_bytes() for name in FILES if name != FILES[2]}
    bytes_of[FILES[2]] = raw.read_piece("half=1")
    assert not (shop.root / FILES[2]).exists()
    known = {name: (xxhash.xxh3_128_hexdigest(data), "as it was") for name, data in bytes_of.items()}
    assert files_of(told) == known
    assert sorted(known) == sorted(FILES)
    assert told["model"]["flow_run"] == told["training_set"]["flow_run"] == "run-1"
    assert told["model"]["packages"]["scikit-learn"]
    assert told["training_set"]["query"] == QUERY
    assert told["training_set"]["sha256"] == hash_file(shop.folder.training("shop") / "training_set.arrow")
    assert {
        table["name"]: (table["flow_run"], table["stands"], table["rows"]) for table in told["tables"]
    } == dict.fromkeys(("sales", "daily", "weather", "twice", "prices"), ("run-1", True, 40))
    assert table_of(told, "daily")["inputs"] == {"weather": table_of(told, "weather")["fingerprint"]}
    (code,) = table_of(told, "twice")["code"].values()
    assert (table_of(told, "twice")["of"][0].partition(":")[2], code["now"]) == ("doubled", "as it was")
    parts = {name: part for table in told["tables"] for part in table["parts"] for name in part["files"]}
    assert sorted(parts) == sorted(FILES)
    assert {part["now"] for part in parts.values()} == {"as it was"}


def test_the_first_model_names_its_files_after_two_changes(shop: Shop) -> None:
    """Files have changed twice, tables have moved on and their parts are gone: it names what it was made of, and what of that is left."""
    (first,) = (version["version"] for version in [walk(shop.root, "shop")["model"]])
    before = files_of(walk(shop.root, "shop"))
    for run, amount in (("run-2", 1000), ("run-3", 2000)):
        shop.drop("a.csv", *range(amount, amount + 40))
        shop.drop(f"{run}.csv", *range(40))
        made_by(run, shop.convert)
        made_by(run, shop.train)
    days = [f'{{"day": {day}, "degrees": {day % 9}}}' for day in range(20)]
    shop.land("weather", "half=1", *days, packed=True)

    told = walk(shop.root, f"shop/{first[:5]}")
    assert {name: digest for name, (digest, _) in files_of(told).items()} == {n: d for n, (d, _) in before.items()}
    assert {name: state for name, (_, state) in files_of(told).items()} == {
        FILES[0]: "changed since",
        FILES[1]: "as it was",
        FILES[2]: "changed since",
        FILES[3]: "as it was",
    }
    sales = table_of(told, "sales")
    assert (sales["version"], sales["version_now"], sales["stands"], sales["flow_run"]) == (1, 3, False, "run-1")
    assert {part["now"] for part in sales["parts"]} <= {"changed since", "gone"}
    latest = walk(shop.root, "shop/v0003")
    assert sorted(files_of(latest)) == sorted([*FILES, "inbox/run-2.csv", "inbox/run-3.csv"])
    assert {table["name"]: table["flow_run"] for table in latest["tables"]} == {
        "sales": "run-3",
        "twice": "run-3",
        "daily": "run-1",
        "weather": "run-1",
        "prices": "run-1",
    }


def test_a_made_table_names_the_version_that_it_was_made_of(shop: Shop) -> None:
    """A table whose inputs were converted again since names those of then, with their files."""
    days = [f'{{"day": {day}, "degrees": 3}}' for day in range(20)]
    before = files_of(walk(shop.root, "daily"))
    shop.land("weather", "half=1", *days, packed=True)
    made_of = replace(shop, config=shop.config.model_copy(update={"tables": {}}))
    made_by("run-2", made_of.convert)

    told = walk(shop.root, "daily")
    assert {name: digest for name, (digest, _) in files_of(told).items()} == {n: d for n, (d, _) in before.items()}
    assert (table_of(told, "weather")["version"], table_of(told, "weather")["stands"]) == (1, False)
    assert table_of(told, "daily")["stands"]


def test_a_raw_file_that_is_gone_is_told(shop: Shop) -> None:
    """So is one that has other bytes with the same size and time, where every byte is looked at."""
    (shop.root / FILES[3]).unlink()
    inbox = shop.root / FILES[0]
    status = inbox.stat()
    data = inbox.read_bytes()
    inbox.write_bytes(data[:-2] + b"7\n")
    os.utime(inbox, ns=(status.st_atime_ns, status.st_mtime_ns))

    states = {name: state for name, (_, state) in files_of(walk(shop.root, "shop", hashes=True)).items()}
    assert (states[FILES[3]], states[FILES[0]], states[FILES[1]]) == ("gone", "changed since", "as it was")


def test_partitions_of_a_parent_lead_to_its_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A source whose partitions are the rows of another table names that table as it was when these were fetched, and through it the files of that."""
    made = shop_in(tmp_path / "data")
    days = {"kind": "api", "url": "http://127.0.0.1/visits", "partitions": {"day": {"from": "sales", "column": "day"}}}
    told = made.config.model_dump(mode="json", exclude={"sources": {"weather", "prices"}, "tables": True})
    shop = replace(made, config=Pipeline.model_validate({**told, "sources": {**told["sources"], "visits": days}}))
    shop.drop("a.csv", 5)
    converted = replace(
        shop, config=made.config.model_copy(update={"sources": {"sales": made.config.sources["sales"]}, "tables": {}})
    )
    converted.convert()
    asked, _ = find_children("visits", cast("ApiSource", shop.config.sources["visits"]), shop.folder)
    keep_children(asked, shop.folder.raw("visits"))
    keep_parents(shop.folder.raw("visits"), [shop.folder.table("sales")])
    (partition,) = list_partitions(asked)
    known = replace(shop, config=shop.config.model_copy(update={"sources": {"visits": asked}}))
    known.land("visits", partition.name, '{"visits": 3}')
    shop.drop("a.csv", 6, 7)
    converted.convert()
    known.convert()

    walked = walk(shop.root, "visits")
    assert {table["name"]: (table["version"], table["stands"]) for table in walked["tables"]} == {
        "visits": (1, True),
        "sales": (1, False),
    }
    assert {name: state for name, (_, state) in files_of(walked).items()} == {
        "inbox/a.csv": "changed since",
        "raw/visits/day=0.jsonl.zst": "as it was",
    }
    assert "t1 -->|partitions| t0" in find_subject(shop.folder, "visits").drawing
    assert show_lineage("visits", shop.root, as_json=False, full=False, hashes=False) == 0
    assert "  table sales, version 1: 1 row in 1 part" in capsys.readouterr().out


def test_a_part_has_its_own_files(shop: Shop) -> None:
    """A part, named by the beginning of its name, is told with the files whose rows it holds."""
    (part,) = [part for part in walk(shop.root, "weather")["tables"][0]["parts"] if "half=2" in str(part["files"])]

    told = walk(shop.root, f"weather/{part['name'][:12]}")
    assert (told["name"], sorted(files_of(told))) == (f"weather/{part['name']}", [FILES[3]])


def test_a_folder_of_an_earlier_version_is_read(shop: Shop) -> None:
    """Manifests and models without a record are told as such; the next run keeps one of what stands, and the version's."""
    for manifest in shop.root.glob(f".tables/*/[0-9]*/table/{MANIFEST}"):
        kept = read_json(manifest)
        del kept["made"]
        write_json(manifest, kept)
    for record in [*shop.root.rglob(LINEAGE)]:
        record.unlink()
    old = walk(shop.root, "shop")
    assert (old["inputs"], old["tables"]) == (None, [])
    assert sorted(files_of(walk(shop.root, "daily"))) == sorted(FILES[2:])

    made_by("run-2", shop.convert)
    made_by("run-2", shop.train)
    told = walk(shop.root, "shop")
    assert sorted(files_of(told)) == sorted(FILES)
    assert {table["flow_run"] for table in told["tables"]} <= {"", "run-2"}


def test_the_card_and_the_page_name_it(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    """The card draws it, and the command lists files with their hashes; a name that is two is told."""
    version = walk(shop.root, "shop")["model"]["version"]
    card = (shop.folder.models("shop") / version / "model_card.md").read_text()
    assert "Published by the flow run `run-1`." in card
    assert "```mermaid\nflowchart LR\n" in card
    assert "2 raw files" in card

    assert show_lineage("shop", shop.root, as_json=False, full=True, hashes=False) == 0
    page = capsys.readouterr().out
    for name, (digest, _) in files_of(walk(shop.root, "shop")).items():
        assert f"{name}: " in page
        assert f"XXH3-128 {digest}, as it was" in page
    assert "by flow run run-1" in page


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("wether", "'wether' is no model, table or part in {root}; did you mean weather?"),
        ("shop/v0009", "'v0009' is not one version of shop; "),
        ("tables/shop", "no table 'shop' is in {root}; "),
        ("models/shpo", "no version of 'shpo' is in {root}; did you mean shop?"),
        ("training/shpo", "no training set of 'shpo' is in {root}; did you mean shop?"),
        ("weather/half=3", "'half=3' is not one part of weather; "),
        ("", "'' is no model, table or part in {root}; "),
    ],
)
def test_a_name_that_nothing_has(shop: Shop, asked: str, said: str) -> None:
    """It is refused, with the nearest that there is."""
    with pytest.raises(ConfigError) as told:
        walk(shop.root, asked)

    assert str(told.value).startswith(said.format(root=shop.root))


def test_an_empty_folder_is_told(tmp_path: Path) -> None:
    """Where nothing was run yet, that is said."""
    with pytest.raises(ConfigError, match="has no tables and no models yet"):
        walk(tmp_path, "shop")
