"""Files of new rows: read as convert reads the files of sources, whatever they are called and wherever they lie."""

from __future__ import annotations

import gzip
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.core.errors import ConfigError, TableError, TrainingError
from tasks.train.predict.inputs import read_input
from tasks.train.predict.prediction import Prediction
from tests.convert.conftest import files_source, make_table
from tests.train.predicting import predict_file
from tests.train.publishing import judge

TREE = {"estimator": "sklearn.tree.DecisionTreeClassifier", "params": {"max_depth": 6}}
ROWS = 300

Predict = Callable[..., Prediction]


def frame_of(rows: int = ROWS) -> pd.DataFrame:
    """Return rows of texts that a number, a word, a truth and a time of day in a zone of its own decide on."""
    generator = np.random.default_rng(5)
    hours = generator.integers(0, 24 * 300, rows)
    zones = generator.choice(["-04:00", "+09:30", "+00:00"], rows)
    times = pd.Timestamp("2013-01-01") + pd.to_timedelta(hours, unit="h")
    number, word = generator.normal(size=rows).round(3), generator.choice(["Größe", "007", "NA"], rows)
    truth = generator.random(rows) > 0.5
    moment = pd.to_datetime([f"{t}{z}" for t, z in zip(times, zones, strict=True)], utc=True)
    late = (moment.hour.to_numpy() >= 12) ^ (number > 0.5) ^ ((word == "Größe") & truth)
    return pd.DataFrame(
        {
            "number": [f"{value:.3f}" for value in number],
            "word": word,
            "truth": np.where(truth, "true", "false"),
            "moment": [f"{t}{z}" for t, z in zip(times, zones, strict=True)],
            "hour": [str(h) for h in moment.hour],
            "y": np.where(late, "late", "early"),
        }
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data folder whose table `rows` is made of a file, with a champion that has learnt from it."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "inbox").mkdir()
    frame_of().to_csv(folder / "inbox" / "a.csv", index=False)
    make_table(folder, files_source(columns={"moment": "timestamp", "word": "string"}))
    table = pq.read_table(folder / "tables" / "rows")
    shutil.rmtree(folder / ".tables")
    (folder / "tables" / "rows").unlink()
    judge(folder, dict(zip(table.column_names, table.columns, strict=True)), TREE).decide()
    return folder


@pytest.fixture
def predict(data: Path, tmp_path: Path) -> Predict:
    """Return a function that predicts an input into a file of the test's own."""
    return lambda rows, **options: predict_file(data, rows, tmp_path / "out" / "out.parquet", **options)


def write_csv(path: Path, frame: pd.DataFrame) -> None:
    """Write a file of commas."""
    frame.to_csv(path, index=False)


def write_european(path: Path, frame: pd.DataFrame) -> None:
    """Write a file as a German Excel does: semicolons, decimal commas, cp1252."""
    number = frame["number"].str.replace(".", ",")
    path.write_bytes(frame.assign(number=number).to_csv(index=False, sep=";").encode("cp1252"))


def write_lines(path: Path, frame: pd.DataFrame) -> None:
    """Write a file of JSON lines, numbers as numbers."""
    rows = frame.assign(number=frame["number"].astype(float)).to_dict("records")
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_zip(path: Path, frame: pd.DataFrame) -> None:
    """Write an archive of one file."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("rows.csv", frame.to_csv(index=False))


def write_parquet(path: Path, frame: pd.DataFrame) -> None:
    """Write typed columns, compressed once more where the name says so."""
    typed = frame.assign(
        number=frame["number"].astype(float),
        hour=frame["hour"].astype(int),
        truth=frame["truth"] == "true",
        moment=pd.to_datetime(frame["moment"], utc=True),
    )
    plain = path.with_name("plain.parquet")
    pq.write_table(pa.Table.from_pandas(typed, preserve_index=False), plain)
    path.write_bytes(gzip.compress(plain.read_bytes()) if path.suffix == ".gz" else plain.read_bytes())


WRITERS: dict[str, Callable[[Path, pd.DataFrame], Any]] = {
    "new.csv": write_csv,
    "european.csv": write_european,
    "new.tsv": lambda path, frame: frame.to_csv(path, index=False, sep="\t"),
    "new.txt": lambda path, frame: frame.to_csv(path, index=False, sep="|"),
    "new.csv.gz": write_csv,
    "new.csv.zst": lambda path, frame: path.write_bytes(
        pa.compress(frame.to_csv(index=False).encode(), codec="zstd", asbytes=True)
    ),
    "new.zip": write_zip,
    "new.jsonl": write_lines,
    "new.json": lambda path, frame: path.write_text(json.dumps(frame.to_dict("records"))),
    "new.xlsx": lambda path, frame: frame.to_excel(path, index=False),
    "new.parquet": write_parquet,
    "new.parquet.gz": write_parquet,
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_is_predicted_as_the_table_that_is_made_of_it(predict: Predict, tmp_path: Path, name: str) -> None:
    """The very rows learnt from, in any format: each is predicted as in the table, times by their offsets."""
    table = pq.read_table(predict("rows").path)
    WRITERS[name](tmp_path / name, frame_of())

    prediction = predict(tmp_path / name)

    made = pq.read_table(prediction.path)
    assert (prediction.received, prediction.rows, prediction.rejected) == (ROWS, ROWS, 0)
    assert made["prediction"].to_pylist() == table["prediction"].to_pylist()
    assert np.array_equal(made["probability_late"], table["probability_late"])
    assert made["word"].to_pylist() == table["word"].to_pylist()
    assert sum(p == y for p, y in zip(*(made[n].to_pylist() for n in ("prediction", "y")), strict=True)) > 0.8 * ROWS


@pytest.mark.parametrize(
    "name", ["new[1].csv", "new[1].parquet", "n*w.csv", "n?w.parquet", "it's {a,b}.csv", ".new.csv"]
)
def test_a_name_is_a_name(predict: Predict, tmp_path: Path, name: str) -> None:
    """The file that is named is predicted, none that a pattern of its name would match."""
    for decoy in ("new1", "now"):
        write_csv(tmp_path / f"{decoy}.csv", frame_of(7))
        write_parquet(tmp_path / f"{decoy}.parquet", frame_of(7))
    WRITERS["new" + Path(name).suffix](tmp_path / name, frame_of(5))

    assert predict(tmp_path / name).rows == 5


@pytest.mark.parametrize("folder", ["number=7", "word=ZZ", "km=7/env=prod", "a[1]"])
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_folder_is_no_column(predict: Predict, tmp_path: Path, folder: str, suffix: str) -> None:
    """Neither of a name of its own, nor in the place of the file's."""
    place = tmp_path / folder
    place.mkdir(parents=True)
    for path in (tmp_path / f"new{suffix}", place / f"new{suffix}"):
        WRITERS[f"new{suffix}"](path, frame_of(20))

    there = pq.ParquetFile(predict(place / f"new{suffix}").path).read()

    assert there.equals(pq.ParquetFile(predict(tmp_path / f"new{suffix}").path).read())


def test_a_large_file_keeps_its_order(predict: Predict, tmp_path: Path) -> None:
    """It is converted in blocks, each a part, and these are read in the order of the lines."""
    frame = pd.concat([frame_of()] * 400, ignore_index=True).assign(row=lambda f: f.index, text="x" * 60)
    write_csv(tmp_path / "new.csv", frame)
    assert (tmp_path / "new.csv").stat().st_size > 12 * 1024 * 1024

    made = pq.read_table(predict(tmp_path / "new.csv").path)

    assert made["row"].to_pylist() == list(range(len(frame)))


def test_a_header_alone_is_a_file_of_no_rows(predict: Predict, tmp_path: Path) -> None:
    """A night without new rows is no failure."""
    write_csv(tmp_path / "new.csv", frame_of(0))

    prediction = predict(tmp_path / "new.csv")

    assert (prediction.rows, pq.read_table(prediction.path).num_rows) == (0, 0)


def test_an_empty_file_has_no_columns(predict: Predict, tmp_path: Path) -> None:
    """It is told as such."""
    (tmp_path / "new.csv").touch()

    with pytest.raises((ConfigError, TableError), match=r"new\.csv.* column"):
        predict(tmp_path / "new.csv")


@pytest.mark.parametrize("content", [b"", b"PAR1", b"not Parquet at all", b"PAR1" + b"x" * 40 + b"PAR1"])
def test_a_file_that_is_no_parquet_is_told(predict: Predict, tmp_path: Path, content: bytes) -> None:
    """Whatever its name says."""
    (tmp_path / "new.parquet").write_bytes(content)

    with pytest.raises(TrainingError, match=r"new.parquet: is not a Parquet file that can be read .*; write it anew"):
        predict(tmp_path / "new.parquet")


def test_a_column_in_another_case_is_named(predict: Predict, tmp_path: Path) -> None:
    """It is another column, and most likely the one that is meant."""
    write_csv(tmp_path / "new.csv", frame_of(20).rename(columns={"number": "NUMBER", "word": "Word"}))

    with pytest.raises(ConfigError) as caught:
        predict(tmp_path / "new.csv")

    assert [mistake.rpartition("; ")[2] for mistake in caught.value.mistakes] == [
        "did you mean NUMBER?",
        "did you mean Word?",
    ]


def test_a_query_of_any_length_is_one(tmp_path: Path) -> None:
    """It is no path, also where it is too long for a name and not for a path."""
    for length in (200, 260, 999, 5000):
        sql = "SELECT * FROM rows WHERE number > 0 ".ljust(length)
        assert read_input(sql, {}).kind == "query"
    with pytest.raises(ConfigError, match="neither a table, a file that is there, nor a query"):
        read_input("x" * 300, {"rows": tmp_path})


def test_what_is_no_file_of_rows_is_told(tmp_path: Path) -> None:
    """A folder, a device, nothing, and SQL that is no text."""
    (tmp_path / "query.sql").write_bytes("SELECT 'ü'".encode("cp1252"))

    for text, said in (
        (str(tmp_path), "is a folder; name one of its files"),
        ("/dev/null", "neither a table, a file that is there"),
        ("-", "neither a table, a file that is there"),
        (f"{tmp_path}/nothing.csv", "neither a table, a file that is there"),
        (f"{tmp_path}/query.sql", "is not UTF-8; save the query as UTF-8"),
    ):
        with pytest.raises(ConfigError, match=said):
            read_input(text, {})
