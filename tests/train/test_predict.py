"""The champion over new rows: the same answers as the model's own, whatever the rows come from."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from tasks.config import QueryLimits
from tasks.core.errors import ConfigError, TableError, TrainingError
from tasks.core.sql import stream_result
from tasks.train.data.features import features_of, read_frame
from tasks.train.predict.batches import predict_rows
from tasks.train.predict.inputs import Input, read_batches, read_input
from tasks.train.predict.prediction import Prediction
from tasks.train.registry import list_versions, load_model
from tasks.train.tasks import predict_input
from tests.train.conftest import training, write_table
from tests.train.predicting import predict_file
from tests.train.publishing import judge

TREE = {"estimator": "sklearn.tree.DecisionTreeClassifier", "params": {"max_depth": 5}}
ROWS = 400

Predict = Callable[..., Prediction]


def new_rows(rows: int = ROWS, seed: int = 0) -> dict[str, Any]:
    """Return a number with gaps, a whole number, a truth, a text with gaps and a time, and what follows from them."""
    generator = np.random.default_rng(seed)
    number = generator.normal(size=rows)
    return {
        "number": [None if i % 9 == 0 else float(value) for i, value in enumerate(number)],
        "whole": generator.integers(100, size=rows),
        "truth": generator.random(rows) > 0.5,
        "word": [
            None if i % 7 == 0 else word for i, word in enumerate(generator.choice(["007", "b", "NA"], size=rows))
        ],
        "moment": np.datetime64("2020-01-01T00:00:00", "us")
        + generator.integers(1000, size=rows) * np.timedelta64(3600, "s"),
        "y": np.where(number + generator.normal(size=rows) > 0, "yes", "no"),
    }


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data folder with a champion of the pipeline `toy`; its training set is the table `rows`."""
    folder = tmp_path_factory.mktemp("predict")
    judge(folder, new_rows(), TREE, query="SELECT * FROM rows").decide()
    return folder


@pytest.fixture
def predict(data: Path, tmp_path: Path) -> Predict:
    """Return a function that predicts an input into a file of the test's own."""

    def _predict(rows: object, name: str = "out.parquet", **options: Any) -> Prediction:
        return predict_file(data, rows, tmp_path / name, **options)

    return _predict


def write(path: Path, columns: Any, **changes: Any) -> Path:
    """Write columns as Parquet or CSV, as the path's ending says."""
    table = pa.table(columns | changes)
    if path.suffix == ".parquet":
        pq.write_table(table, path)
    else:
        pa_csv.write_csv(table, path)
    return path


@pytest.mark.parametrize("name", ["new.parquet", "new.csv"])
def test_the_answers_are_the_model_s_own(data: Path, tmp_path: Path, predict: Predict, name: str) -> None:
    """Each row keeps its columns, and gets the prediction, a probability a class, and the model's version."""
    columns = new_rows(seed=1)
    columns.pop("y")

    prediction = predict(write(tmp_path / name, columns, label=[f"row {i}" for i in range(ROWS)]))

    made = pq.read_table(prediction.path)
    (version,) = list_versions(data / "models" / "toy")
    model = load_model(data / "models" / "toy" / version.name / "model.skops")
    given = pa.table(columns)
    frame = read_frame(given, features_of(training(), given.schema))
    assert made.column_names == [*columns, "label", "prediction", "probability_no", "probability_yes", "model_version"]
    assert made["label"].to_pylist() == [f"row {i}" for i in range(ROWS)]
    assert made["word"].to_pylist() == columns["word"]
    assert made["prediction"].to_pylist() == model.predict(frame).tolist()
    assert np.array_equal(np.array(made["probability_yes"]), model.predict_proba(frame)[:, 1])
    assert set(made["model_version"].to_pylist()) == {version.name}
    assert prediction.rows == ROWS


def test_an_infinite_number_is_predicted_as_a_missing_one(predict: Predict) -> None:
    """As in training; the row keeps its value."""
    query = "SELECT * EXCLUDE (number), {} AS number FROM rows WHERE number IS NULL ORDER BY ALL"

    endless = pq.read_table(predict(query.format("'-inf'::DOUBLE")).path)
    missing = pq.read_table(predict(query.format("NULL::DOUBLE"), "missing.parquet").path)

    assert set(endless["number"].to_pylist()) == {-np.inf}
    assert endless.drop("number").equals(missing.drop("number"))


def test_a_table_and_queries_are_inputs(predict: Predict, tmp_path: Path) -> None:
    """A table by its name, SQL over tables, and SQL in a file."""
    sql = tmp_path / "some.sql"
    sql.write_text("SELECT * FROM rows WHERE whole < 50")

    whole, some, filed = predict("rows"), predict(sql.read_text(), "some.parquet"), predict(sql, "filed.parquet")

    kept = pq.read_table(whole.path).filter(pa.compute.field("whole") < 50)
    assert whole.rows == ROWS
    assert some.rows == filed.rows == kept.num_rows
    assert some.path.read_bytes() == filed.path.read_bytes()
    order = [(name, "ascending") for name in kept.column_names]
    assert pq.read_table(some.path).sort_by(order).equals(kept.sort_by(order))


def test_the_same_rows_give_the_same_file(predict: Predict) -> None:
    """Threads change nothing, and batches keep their order."""
    one = predict("rows", "one.parquet", threads=1, batch_rows=64)
    many = predict("rows", "many.parquet", threads=4, batch_rows=64)

    assert one.path.read_bytes() == many.path.read_bytes()
    assert one.drift == many.drift
    assert pq.read_table(one.path).equals(pq.read_table(predict("rows").path))


def test_columns_that_differ_are_named(predict: Predict, tmp_path: Path) -> None:
    """Each is told by what it is and what training had; nothing is written."""
    columns = new_rows(20)
    columns["whole"], columns["truth"] = [str(i) for i in range(20)], list(range(20))
    columns["numbers"] = columns.pop("number")

    with pytest.raises(ConfigError) as caught:
        predict(write(tmp_path / "new.parquet", columns))

    where = f"file {tmp_path / 'new.parquet'}"
    assert caught.value.mistakes == (
        f"{where}: has no column 'number', which is a number in training; did you mean numbers?",
        f"{where}: column 'whole' is a text (string), and was a number in training; CAST(whole AS DOUBLE) in a query",
        f"{where}: column 'truth' is a number (int64), and was a truth in training; CAST(truth AS BOOLEAN) in a query",
    )
    assert not (tmp_path / "out.parquet").exists()


@pytest.mark.parametrize("kind", [pa.null(), pa.float64(), pa.bool_(), pa.timestamp("us"), pa.string()], ids=str)
@pytest.mark.parametrize("name", ["word", "number", "truth", "moment"])
def test_a_column_of_nulls_is_missing_whatever_its_type(
    predict: Predict, tmp_path: Path, name: str, kind: pa.DataType
) -> None:
    """A file in which nobody has filled in a column knows not what it would be of."""
    columns = new_rows(20, seed=1)
    typed = pa.table(columns).schema.field(name).type

    given = predict(write(tmp_path / "new.parquet", columns, **{name: pa.nulls(20, kind)}))
    plain = predict(write(tmp_path / "plain.parquet", columns, **{name: pa.nulls(20, typed)}), "plain.parquet")

    assert pq.read_table(given.path).equals(pq.read_table(plain.path))
    assert given.drift == plain.drift


def test_a_null_in_a_query_has_no_type_either(predict: Predict) -> None:
    """As the file's column."""
    made = pq.read_table(predict("SELECT * REPLACE (NULL AS word, NULL AS moment) FROM rows").path)

    assert made["word"].null_count == made["moment"].null_count == made.num_rows == ROWS


def test_a_row_that_does_not_fit_is_a_reject(predict: Predict, data: Path, tmp_path: Path) -> None:
    """What training had says how texts are read; a row that is not predicted is counted, told and kept."""
    path = write(tmp_path / "new.csv", new_rows(20))
    path.write_text(path.read_text().replace("\n", "\n,many,true,b,2020-01-01 00:00:00,yes\n", 1))

    prediction = predict(path)

    rejects = tmp_path / "_out.rejects.parquet"
    assert (prediction.received, prediction.rows, prediction.rejected) == (21, 20, 1)
    assert pq.read_table(prediction.path).num_rows == 20
    assert prediction.warning == (
        f"1 of 21 rows of file {path} are rejects and not predicted, most often because 'many' is not a float; correct "
        f"them, they lie in {rejects}"
    )
    (reject,) = pq.read_table(rejects).to_pylist()
    assert (reject["line"], reject["column"], reject["file"]) == (2, "whole", str(path))
    assert list((data / "predictions" / "toy").iterdir()) == []
    predict(write(tmp_path / "good.csv", new_rows(20)))
    assert not rejects.exists()


def test_a_file_of_rejects_is_an_error(predict: Predict, data: Path, tmp_path: Path) -> None:
    """Where most rows do not fit, it is another file than is thought; nothing is written."""
    path = write(tmp_path / "new.csv", new_rows(20), whole=["1", *["many"] * 19])

    with pytest.raises(TableError, match=r"new.csv: 19 of 20 rows are rejects, .*'many' is not a float"):
        predict(path)

    assert [entry.name for entry in tmp_path.iterdir()] == ["new.csv"]
    assert list((data / "predictions" / "toy").iterdir()) == []


def test_a_csv_file_of_texts_alone_has_a_header_too(tmp_path: Path) -> None:
    """DuckDB could not tell the names from the values."""
    columns = {"word": ["a", "b"] * 50, "y": ["no", "yes"] * 50}
    judge(tmp_path, columns, TREE, query="SELECT * FROM rows").decide()
    path = tmp_path / "new.csv"
    path.write_text("word\na\nb\n")

    prediction = predict_file(tmp_path, path, tmp_path / "out.parquet")

    made = pq.read_table(prediction.path).to_pydict()
    assert (made["word"], made["prediction"]) == (["a", "b"], ["no", "yes"])


def test_a_column_that_the_prediction_adds_must_not_be_there(predict: Predict) -> None:
    """The cure is a query."""
    with pytest.raises(ConfigError, match="the query: has a column 'prediction' already, which the prediction adds"):
        predict("SELECT *, 1 AS prediction FROM rows")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("row", "'row' is neither a table, a file that is there, nor a query; did you mean rows?"),
        ("DELETE FROM rows", "neither a table"),
        ("SELECT 1; SELECT 2", "prediction.query: holds 2 statements; write one SELECT"),
        ("SELECT * FROM nothing", r"prediction\.query: Catalog Error: .*nothing.*its tables are rows"),
        ("SELECT * FROM read_csv('/etc/passwd')", "prediction.query: .*disabled"),
    ],
)
def test_an_input_that_is_none_is_told(predict: Predict, asked: str, said: str) -> None:
    """One sentence says what is wrong; a query reads the tables alone."""
    with pytest.raises((ConfigError, TrainingError), match=said):
        predict(asked)


def test_no_rows_are_a_file_of_no_rows(predict: Predict) -> None:
    """A night without new rows is no failure."""
    prediction = predict("SELECT * FROM rows WHERE whole < 0")

    assert prediction.rows == 0
    assert prediction.drift == ()
    assert pq.read_schema(prediction.path).names[-4:] == [
        "prediction",
        "probability_no",
        "probability_yes",
        "model_version",
    ]


def test_rows_that_have_moved_are_named(predict: Predict, tmp_path: Path) -> None:
    """The rows learnt from have not; a number beyond them and an unknown word have."""
    moved = new_rows(seed=1) | {"whole": np.arange(ROWS), "word": ["new"] * ROWS}

    assert predict("rows").drifted == []
    assert predict(write(tmp_path / "moved.parquet", moved)).drifted == ["word", "whole"]


def test_what_is_broken_off_leaves_nothing(predict: Predict, tmp_path: Path) -> None:
    """Ctrl-C ends it at the next batch."""
    stop = threading.Event()
    stop.set()

    with pytest.raises(TrainingError, match="was broken off; nothing is written, run it again"):
        predict("rows", stop=stop)

    assert list(tmp_path.iterdir()) == []


def test_without_a_champion_there_is_no_prediction(tmp_path: Path) -> None:
    """The error says what to do first."""
    tables = {"rows": write_table(tmp_path / "tables" / "rows", new_rows(20))}

    with pytest.raises(ConfigError, match="no version of toy serves yet; run its pipeline first"):
        predict_rows(tmp_path / "models" / "toy", read_input("rows", tables), tables, tmp_path / "out.parquet")


@pytest.fixture(scope="module")
def bounded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data folder with a champion whose training's query may take half a second."""
    folder = tmp_path_factory.mktemp("bounded")
    judge(folder, new_rows(), TREE, query="SELECT * FROM rows", query_limits={"time_limit_s": 0.5}).decide()
    return folder


ENDLESS = "SELECT sum(sin(a.range * b.range)) AS number FROM range(100000000) a, range(100000) b"


def test_a_query_of_rows_has_the_limits_of_the_training(bounded: Path, tmp_path: Path) -> None:
    """What the pipeline says of its query holds for that of its predictions."""
    with pytest.raises(TrainingError, match=r"prediction.query: was ended after 0.5 s; .*query_limits.time_limit_s"):
        predict_file(bounded, ENDLESS, tmp_path / "out.parquet")


def test_the_limits_of_the_pipeline_s_file_come_first(bounded: Path, tmp_path: Path) -> None:
    """They may have been changed since the training."""
    with pytest.raises(TrainingError, match=r"was ended after 0\.2 s"):
        predict_file(bounded, ENDLESS, tmp_path / "out.parquet", limits=QueryLimits(time_limit_s=0.2))


def test_a_prediction_elsewhere_ends_with_its_run(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker is not cancelled: it looks whether the run's folder is there, and is broken off where it is gone."""
    monkeypatch.setattr("tasks.train.tasks._LOOKS_S", 0.2)
    asked = read_input(ENDLESS, [])
    awaited = tmp_path / "awaited"
    awaited.mkdir()
    threading.Timer(0.3, awaited.rmdir).start()

    with pytest.raises(TrainingError, match=r"prediction.query: was stopped; run it again"):
        asyncio.run(predict_input.fn(data / "models" / "toy", asked, {}, tmp_path / "out.parquet", awaited_at=awaited))


def test_a_query_of_rows_is_stopped(data: Path, tmp_path: Path) -> None:
    """As where the prediction is interrupted while its query works."""
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()

    with pytest.raises(TrainingError, match=r"prediction.query: was stopped; run it again"):
        predict_file(data, ENDLESS, tmp_path / "out.parquet", stop=stop)


def test_a_part_that_is_gone_while_rows_are_predicted_is_told(tmp_path: Path) -> None:
    """Of a table, which another run may have made anew twice; not as a mistake of its rows."""
    part = write(tmp_path / "part.parquet", {"n": [1]})
    with duckdb.connect() as connection:
        connection.execute(f"CREATE VIEW rows AS FROM '{part}'")
        part.unlink()

        def stream() -> Iterator[pa.RecordBatch]:
            yield from stream_result(connection, "FROM rows", 10)

        with pytest.raises(TrainingError, match=rf"^{part}: is gone, as its table was made anew, .*; run again$"):
            list(read_batches(stream(), Input("table", "rows")))
