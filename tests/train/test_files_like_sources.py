"""A file of new rows is read as the source's own files are: by what is declared of its columns, and of how it is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tasks.core.errors import TableError
from tests.convert.conftest import files_source, make_table
from tests.train.predicting import predict_file
from tests.train.publishing import judge

TREE = {"estimator": "sklearn.tree.DecisionTreeClassifier", "params": {"max_depth": 4, "random_state": 0}}
DECLARED: dict[str, Any] = {
    "Menge": {
        "type": "float",
        "decimal": ",",
        "thousands": ".",
        "rename": "amount",
        "nulls": ["-9,9"],
        "required": True,
    },
    "Tag": {"type": "date", "format": "%d.%m.%Y", "rename": "day"},
}
LINES = [f"{n % 28 + 1:02}.{n // 28 + 1:02}.2026;{n % 10},5;{'hi' if n % 10 > 4 else 'lo'}" for n in range(300)]
HEAD = "Tag;Menge;y\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a data folder in which a model has learnt from a table whose columns are declared."""
    folder = tmp_path / "data"
    (folder / "inbox").mkdir(parents=True)
    (folder / "inbox" / "a.csv").write_text(HEAD + "\n".join(LINES))
    make_table(folder, files_source(columns=DECLARED, read={"format": "csv", "delimiter": ";"}))
    manifest = (folder / "tables" / "rows" / "_manifest.json").read_bytes()
    table = pq.read_table(folder / "tables" / "rows")
    (folder / "tables" / "rows").unlink()
    judge(folder, dict(zip(table.column_names, table.columns, strict=True)), TREE).decide()
    (folder / "tables" / "rows" / "_manifest.json").write_bytes(manifest)
    return folder


def test_what_is_declared_of_columns_holds_of_new_rows(data: Path, tmp_path: Path) -> None:
    """Names, dates, decimals and null texts are those of the source; a target that is required is not."""
    (tmp_path / "new.csv").write_text("Tag;Menge\n03.04.2026;1.234,5\n31.12.2026;-9,9\n04.05.2026;7,5\n")

    prediction = predict_file(data, tmp_path / "new.csv", tmp_path / "out.parquet")

    made = pq.read_table(prediction.path)
    assert made["amount"].to_pylist() == [1234.5, None, 7.5]
    assert [str(day)[:10] for day in made["day"].to_pylist()] == ["2026-04-03", "2026-12-31", "2026-05-04"]
    assert made["prediction"].to_pylist()[::2] == ["hi", "hi"]
    assert (prediction.rejected, prediction.warnings) == (0, ())


def test_a_file_of_another_format_has_the_same_columns(data: Path, tmp_path: Path) -> None:
    """What is declared of the format of the source's files says nothing of it."""
    (tmp_path / "new.jsonl").write_text('{"Tag": "03.04.2026", "Menge": "7,5"}\n')

    made = pq.read_table(predict_file(data, tmp_path / "new.jsonl", tmp_path / "out.parquet").path)

    assert made["amount"].to_pylist() == [7.5]


def test_doubts_of_a_file_are_told(data: Path, tmp_path: Path) -> None:
    """As those of a source's files are."""
    (tmp_path / "new.csv").write_text(HEAD + "\n".join([*LINES[:20], HEAD.strip(), *LINES[20:40]]))

    prediction = predict_file(data, tmp_path / "new.csv", tmp_path / "out.parquet")

    assert (prediction.rows, prediction.rejected) == (40, 1)
    assert any("line 22 repeats the header and is a reject" in warning for warning in prediction.warnings)


def test_the_source_says_how_many_rejects_are_too_many(tmp_path: Path, data: Path) -> None:
    """Without a limit of its own, half of the rows."""
    (tmp_path / "new.csv").write_text("Tag;Menge\n" + "03.04.2026;x\n" * 3 + "03.04.2026;1\n")

    with pytest.raises(TableError, match=r"new.csv: 3 of 4 rows are rejects, most often because 'x' is not a float"):
        predict_file(data, tmp_path / "new.csv", tmp_path / "out.parquet")
