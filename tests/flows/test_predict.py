"""The command `predict` of a file."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from tests.flows.conftest import Command, Tidemill, group_is_gone, read_until
from tests.thorough import takes_minutes
from tests.train.conftest import sklearn_table
from tests.train.publishing import judge

pytestmark = pytest.mark.flow

TREE = {"estimator": "sklearn.tree.DecisionTreeClassifier", "params": {"max_depth": 5}}


@pytest.fixture
def tidemill(prefect_server: str) -> Tidemill:
    """Return the command line, beside a server."""
    return Tidemill({"PREFECT_API_URL": prefect_server})


@pytest.fixture
def irises(tmp_path: Path) -> pd.DataFrame:
    """Return the irises as texts; a model of theirs serves."""
    judge(tmp_path / "data", sklearn_table("iris"), TREE, query="SELECT * EXCLUDE (row) FROM rows").decide()
    return pd.DataFrame(sklearn_table("iris")).astype(str)


@pytest.mark.usefixtures("prefect_server")
def test_a_file_of_semicolons_is_predicted_once(command: Command, irises: pd.DataFrame, tmp_path: Path) -> None:
    """Its rejects are told and kept, its output is not replaced unasked, and nothing else is left."""
    path, output = tmp_path / "new[1].csv", tmp_path / "out.parquet"
    irises = irises.apply(lambda column: column.str.replace(".", ","))
    irises.loc[3, "x0"] = "wide"
    path.write_bytes(irises.to_csv(index=False, sep=";").encode("cp1252"))
    asked = ("predict", "toy", path, "--data", tmp_path / "data", "--output", output)

    first, second, third = command(*asked), command(*asked), command(*asked, "--overwrite")

    assert [ended.code for ended in (first, second, third)] == [0, 2, 0], first.stderr + third.stderr
    assert f"149 rows of file {path} predicted by v0001-" in first.stdout
    assert f"warning: 1 of 150 rows of file {path} are rejects and not predicted" in first.stdout
    assert "because 'wide' is not a float; correct them" in first.stdout
    assert second.stderr == f"error: {output}: is there already; name another file, or add --overwrite\n"
    assert pq.read_metadata(output).num_rows == 149
    assert sorted(entry.name for entry in tmp_path.glob("*.parquet")) == ["_out.rejects.parquet", "out.parquet"]
    assert list((tmp_path / "data" / "predictions" / "toy").iterdir()) == []


def test_a_file_of_no_format_is_told_before_anything_starts(
    command: Command, irises: pd.DataFrame, tmp_path: Path
) -> None:
    """The formats are named."""
    path = tmp_path / "new.dat"
    irises.to_csv(path, index=False)

    ended = command("predict", "toy", path, "--data", tmp_path / "data")

    assert (ended.code, ended.stdout) == (2, "")
    assert f"error: {path}: .dat is not a format; known are .csv, " in ended.stderr


@takes_minutes("it waits for a command that is ended")
def test_ctrl_c_leaves_nothing(tidemill: Tidemill, irises: pd.DataFrame, tmp_path: Path) -> None:
    """The file that is being converted is gone with the process."""
    path = tmp_path / "new.csv"
    many = irises.to_csv(index=False, header=False) * 20_000
    path.write_text(",".join(irises.columns) + "\n" + many)

    process = tidemill.start("predict", "toy", path, "--data", tmp_path / "data", "--verbose")
    read_until(process, "convert files|new-")
    os.kill(process.pid, signal.SIGINT)

    assert group_is_gone(process)
    assert process.returncode == 130
    assert list((tmp_path / "data" / "predictions" / "toy").iterdir()) == []
