"""Where a prediction is written: nothing is replaced that was not meant to be, and no folder of a run's."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.core.errors import ConfigError
from tasks.core.storage import DataFolder
from tasks.core.tables import MANIFEST
from tasks.train.predict.inputs import Input
from tasks.train.predict.output import choose_output

TABLE = Input("table", "rows")


def choose(root: Path, output: Path | None, rows: Input = TABLE, *, overwrite: bool = False) -> Path:
    """Return the output of a prediction in a data folder."""
    return choose_output(DataFolder.at(root / "data"), "toy", rows, output, overwrite=overwrite)


def test_without_a_name_it_is_one_in_the_predictions(tmp_path: Path) -> None:
    """The same rows are predicted anew in their place; of two files of one name each has its own."""
    one, other = Input("file", "/a/new.csv"), Input("file", "/b/new.csv")
    long = Input("file", f"/a/{'ü' * 120}.csv")

    assert choose(tmp_path, None) == tmp_path / "data" / "predictions" / "toy" / "rows.parquet"
    assert choose(tmp_path, None, one) != choose(tmp_path, None, other)
    assert len(choose(tmp_path, None, long).name.encode()) < 150


def test_a_file_that_is_there_is_kept(tmp_path: Path) -> None:
    """Unless it is said that it may be overwritten."""
    output = tmp_path / "out.parquet"
    output.write_text("mine")

    with pytest.raises(ConfigError, match=r"out.parquet: is there already; name another file, or add --overwrite"):
        choose(tmp_path, output)

    assert choose(tmp_path, output, overwrite=True) == output


@pytest.mark.parametrize(
    "place", ["tables/rows", ".tables/rows/000001/table", "raw/weather", "rejects/rows", "models/toy", "training/toy"]
)
@pytest.mark.parametrize("linked", [False, True])
def test_a_folder_of_a_run_is_refused(tmp_path: Path, place: str, linked: bool) -> None:
    """Whether or not a file is there, by whatever way it is named, and whatever is said of overwriting."""
    folder = tmp_path / "data" / place
    folder.mkdir(parents=True)
    if linked:
        (tmp_path / "link").symlink_to(folder)
        folder = tmp_path / "link"

    with pytest.raises(ConfigError, match=r"out.parquet: is in .*, which only runs may change; name a file elsewhere"):
        choose(tmp_path, folder / "out.parquet", overwrite=True)


def test_a_table_of_another_data_folder_is_refused(tmp_path: Path) -> None:
    """A table is told by its manifest, also from a folder of its values."""
    table = tmp_path / "other" / "rows"
    (table / "country-DE").mkdir(parents=True)
    (table / MANIFEST).write_text("{}")

    for folder in (table, table / "country-DE"):
        with pytest.raises(ConfigError, match=r"is in the table .*/other/rows, which only its own run may change"):
            choose(tmp_path, folder / "out.parquet", overwrite=True)


@pytest.mark.parametrize("kind", ["parquet", "file"])
def test_the_rows_themselves_are_refused(tmp_path: Path, kind: str) -> None:
    """They are not replaced by what is said of them."""
    path = tmp_path / "new.parquet"
    path.touch()
    (tmp_path / "link.parquet").symlink_to(path)
    rows = Input(kind, str(path))  # type: ignore[arg-type]

    for output in (path, tmp_path / "link.parquet"):
        with pytest.raises(ConfigError, match="is what is to be predicted; name another file"):
            choose(tmp_path, output, rows, overwrite=True)


@pytest.mark.parametrize("name", ["out.csv", "out.xlsx", "out.json"])
def test_another_format_is_refused(tmp_path: Path, name: str) -> None:
    """A prediction is Parquet: under another name nobody could read it."""
    with pytest.raises(ConfigError, match=rf"{name}: a prediction is Parquet, .*; name it out.parquet"):
        choose(tmp_path, tmp_path / name)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """A file in it is proposed."""
    with pytest.raises(ConfigError, match=rf"is a folder; name a file in it, e.g. {tmp_path}/rows.parquet"):
        choose(tmp_path, tmp_path)
