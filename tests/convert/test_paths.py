"""Names and values of data as parts of paths: nothing is written outside of its folder."""

from __future__ import annotations

import io
import stat
import zipfile
from pathlib import Path

import pytest

from tasks.convert.checks.run import open_rows
from tasks.raw.files import raw_path
from tasks.raw.partitions import list_partitions
from tests.convert.conftest import api_source, files_source, make_table, read_rows, write_files

VALUES = ["..", ".", "../../out", "/out", "a/b", "..%2Fout"]


def files_beside(root: Path, folder: Path) -> list[Path]:
    """Return all files below `root` that are not in `folder`."""
    return [path for path in root.rglob("*") if path.is_file() and not path.is_relative_to(folder)]


@pytest.mark.parametrize("column", ["where", "..", "../where", "/where"])
def test_no_value_of_a_column_leads_out_of_its_table(tmp_path: Path, column: str) -> None:
    """A table that is partitioned by a column has folders of its values, whatever they and its name are."""
    data = tmp_path / "a" / "data"
    data.mkdir(parents=True)
    write_files(data, a_csv=f"id,{column}\n" + "".join(f"{n},{value}\n" for n, value in enumerate(VALUES)))

    make_table(data, files_source(table={"partition_by": [column]}))

    assert files_beside(tmp_path, data) == []
    table = (data / "tables" / "rows").resolve()
    assert table.is_relative_to(data)
    assert len({path.parent for path in table.rglob("*.parquet")}) == len(VALUES)


@pytest.mark.parametrize("member", ["../../out.csv", "/out.csv", "..\\out.csv"])
def test_no_member_of_an_archive_leads_out_of_it(tmp_path: Path, member: str) -> None:
    """Its bytes are read, and its name is no path to write to."""
    data = tmp_path / "a" / "data"
    data.mkdir(parents=True)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(member, "id\n1\n")
    write_files(data, a_zip=packed.getvalue())

    make_table(data, files_source())

    assert read_rows(data) == [{"id": 1}]
    assert files_beside(tmp_path, data) == []


@pytest.mark.parametrize("value", VALUES)
def test_no_value_of_a_partition_leads_out_of_raw(tmp_path: Path, value: str) -> None:
    """The raw file of a partition lies in its source's folder."""
    (partition,) = list_partitions(api_source(value))

    assert raw_path(tmp_path / "rows", partition.name).resolve().parent == tmp_path / "rows"


def test_nobody_else_reads_what_checks_put_aside() -> None:
    """What does not fit in memory lies in a folder that only its owner enters, and is gone afterwards."""
    with open_rows((), {"id": "int"}) as rows:
        ((spill,),) = rows.fetch("SELECT current_setting('temp_directory')")
        mode = stat.S_IMODE(Path(spill).stat().st_mode)

    assert oct(mode) == "0o700"
    assert not Path(spill).exists()
