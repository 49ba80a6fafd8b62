"""A bucket opened as a data folder: what is named of it is fetched, and no more."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from flows.cli.models import name_of
from tasks.config import Export
from tasks.config.base import trust
from tasks.core.bucket.mirror import Mirror
from tasks.core.bucket.opened import open_bucket
from tasks.core.bucket.units import Unit
from tasks.core.errors import ConfigError
from tasks.core.storage import DataFolder
from tasks.export.job import ExportJob
from tasks.reports.lineage import _list_versions, find_subject
from tasks.tables.parts import PARQUET
from tasks.train.predict.inputs import read_input, tables_of
from tests.core.bucket.mirrors import put


@pytest.fixture
def folder(here: Mirror, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataFolder:
    """Return the data folder of a host that has fetched nothing of two tables."""
    assert PARQUET
    for name in ("orders", "shops"):
        put(here, {f".tables/{name}/1/table/a.parquet": name, f".tables/{name}/1/table/_manifest.json": "{}"})
        (here.root / "tables").mkdir(exist_ok=True)
        (here.root / f".tables/{name}/current").symlink_to("1")
        (here.root / f"tables/{name}").symlink_to(f"../.tables/{name}/current/table")
        here.commit(Unit("tables", name))
    monkeypatch.setenv("TIDEMILL_CACHE", str(tmp_path / "there"))
    return DataFolder.at(Path(address))


def here_of(folder: DataFolder) -> list[str]:
    """Return the tables that are on this machine."""
    return sorted(path.name for path in (folder.root / "tables").glob("*"))


def test_an_export_fetches_the_table_that_it_names(folder: DataFolder, tmp_path: Path) -> None:
    """And no other; of one that is not there all names are told."""
    trust("target", str(tmp_path / "out.csv"))
    target = Export(to=str(tmp_path / "out.csv"))

    assert ExportJob("orders", target, folder, tmp_path).source.name == "orders"
    with pytest.raises(ConfigError, match=r"^s3://\S+ \(here /\S+\) has no table 'shop'; did you mean shops"):
        assert ExportJob("shop", target, folder, tmp_path).source

    assert here_of(folder) == ["orders"]


def test_a_prediction_fetches_the_tables_that_it_names(folder: DataFolder) -> None:
    """A table, or those of a query; a file names none, and where a name is wrong all are to be told."""
    known = folder.table_names()
    query = read_input("SELECT * FROM Orders WHERE id IN (WITH shops AS (SELECT 1) FROM shops)", known)

    assert known == ["orders", "shops"]
    assert here_of(folder) == []
    assert tables_of(read_input("shops", known), known) == ("shops",)
    assert tables_of(read_input("FROM ordres", known), known) == known
    assert [*folder.tables(tables_of(query, known))] == ["orders"]
    assert here_of(folder) == ["orders"]
    assert [*folder.tables()] == known


def test_a_file_to_predict_fetches_no_table(folder: DataFolder, here: Mirror) -> None:
    """How it is read is found by the manifests of all, of each of which the one object is read."""
    put(here, {".manifests/shops.json": '{"pipeline": "toy"}'})
    here.commit(Unit("tables", "shops"))

    assert folder.read_manifests() == [b'{"pipeline": "toy"}']
    assert here_of(folder) == []


def test_lineage_and_a_pipeline_s_name_fetch_the_models_that_are_named(folder: DataFolder, here: Mirror) -> None:
    """Those of a bucket are known by their names alone; where none has the name, all are looked at."""
    put(here, {"models/toy/a.json": "1", "models/other/a.json": "1"})
    here.commit_all([Unit("models", "toy"), Unit("models", "other")])

    def fetched() -> list[str]:
        return sorted(path.name for path in (folder.root / "models").glob("*"))

    assert name_of("toy", Path(here.store.address)) == "toy"
    with pytest.raises(ConfigError, match=r"; s3://\S+ \(here /\S+\) has models of other, toy$"):
        name_of("nobody", Path(here.store.address))
    with suppress(ConfigError):  # of a manifest that is none
        find_subject(folder, "orders")
    assert fetched() == []
    assert _list_versions(folder, "toy") == []
    assert fetched() == ["toy"]
    with pytest.raises(ConfigError, match=r"'nobody' is no model, table or part"):
        find_subject(folder, "nobody")
    assert fetched() == ["other", "toy"]


@pytest.mark.parametrize(
    "address",
    ["s3://key:hidden@shop/data", "abfs://data@account:hidden/x", "az://data?sig=hidden", "gs://shop/a:hidden"],
)
def test_an_address_that_proves_who_asks_is_refused_and_not_shown(address: str) -> None:
    """The environment is where that stands."""
    with pytest.raises(ConfigError, match=r"holds more than a bucket and a prefix; set credentials") as told:
        open_bucket(address)

    assert "hidden" not in str(told.value)
