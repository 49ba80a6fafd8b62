"""`check` tells what a run would read and take, and what will not fit, before anything runs."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import fsspec
import pytest

from flows.cli.main import run_command
from flows.summary import RunOptions
from tasks.config import load_pipeline
from tasks.convert.staging.context import InputFile
from tasks.convert.table.inputs import list_files
from tasks.core.memory import Memory
from tasks.core.storage import DataFolder
from tasks.estimate.pipeline import estimate_pipeline

_GIB = 2**30
CANDIDATES = "{ridge: {estimator: sklearn.linear_model.Ridge}}"


def check(folder: Path, capfd: pytest.CaptureFixture[str], text: str) -> tuple[int, str, str]:
    """Return the exit code, the output and the errors of `check` for a pipeline with these sections."""
    path = folder / "pipeline.yaml"
    path.write_text(f"name: shop\n{text}")
    code = run_command(["check", str(path), "--data", str(folder)])
    said = capfd.readouterr()
    return code, said.out, said.err


def cells_of(output: str, part: str) -> list[str]:
    """Return the cells of the line that the table has of a part."""
    (line,) = [line for line in output.splitlines() if line.strip().startswith(f"{part} ")]
    return re.split(r"\s{2,}", line.strip())


def inbox(folder: Path) -> Path:
    """Return the folder of files, which is made."""
    made = folder / "inbox"
    made.mkdir()
    return made


TRAINING = f"training: {{query: SELECT * FROM orders, target: id, candidates: {CANDIDATES}}}\n"  # noqa: S608 - a pipeline file


def test_each_part_has_its_figures(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Bytes, bytes once decompressed, rows by the head, memory and task runs; of what is not fetched nothing is guessed."""
    rows = "id,price\n" + "".join(f"{number % 10},0.25\n" for number in range(200_000))
    (inbox(tmp_path) / "a.csv.gz").write_bytes(gzip.compress(rows.encode()))
    sources = "  orders: {kind: files, path: inbox/*}\n  feed: {kind: api, url: 'http://127.0.0.1:1/rows'}\n"
    text = f"sources:\n{sources}tables:\n  cheap: {{query: FROM orders}}\n{TRAINING}"

    code, output, _ = check(tmp_path, capfd, text)

    assert code == 0
    _, inputs, size, unpacked, counted, _, task_runs = cells_of(output, "convert orders")
    assert (inputs, unpacked, counted, task_runs) == ("1 file", "1.4 MB", "200,000", "2")
    assert size.endswith("kB")
    assert cells_of(output, "ingest feed")[1:] == ["1 partition, 1 to fetch", *"????1"]
    assert cells_of(output, "tables cheap")[4] == cells_of(output, "train ridge")[4] == "200,000"
    assert "warning" not in output


def test_files_that_no_stage_reads_are_not_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before `run --only train` a table is as large as it is there."""
    (inbox(tmp_path) / "a.csv").write_text("id\n1\n")
    file = tmp_path / "pipeline.yaml"
    file.write_text(f"name: shop\nsources:\n  orders: {{kind: files, path: inbox/*}}\n{TRAINING}")
    config, folder, listed = load_pipeline(file), DataFolder.at(tmp_path), list[object]()

    def list_once(*asked: object) -> list[InputFile]:
        listed.append(asked)
        return list_files(*asked)  # type: ignore[arg-type]

    monkeypatch.setattr("tasks.estimate.conversion.list_files", list_once)
    parts = estimate_pipeline(config, folder, RunOptions(only="train").runs, in_stores=False).parts

    assert ([part.stage for part in parts], listed) == (["train"] * len(parts), [])
    estimate_pipeline(config, folder, RunOptions().runs, in_stores=False)
    assert len(listed) == 1


def test_a_sparse_file_of_100_gb_is_told_without_being_read(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its bytes are those of its listing, and its table has no room on the disk."""
    with (inbox(tmp_path) / "a.csv").open("wb") as file:
        file.write(b"id,price\n" + b"1,2\n" * 2_000_000)
        file.truncate(100 * 1000**3)
    monkeypatch.setattr("tasks.estimate.pipeline.free_room", lambda _: 20 * 1000**3)

    _, output, _ = check(tmp_path, capfd, "sources:\n  orders: {kind: files, path: inbox/*}\n")

    cells = cells_of(output, "convert orders")
    assert (cells[2], cells[4]) == ("100 GB", "25,000,000,000")
    assert "what a run leaves there takes about 40 GB, and 20 GB are free on its disk; make room" in output


def test_a_document_of_3_gb_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """It surely cannot be read, which `run` would tell after all else; one that is compressed may."""
    for name in ("a.json", "b.json.gz", "c.parquet"):
        with (inbox(tmp_path) / name if name == "a.json" else tmp_path / "inbox" / name).open("wb") as file:
            file.truncate(3 * 1024**3)

    code, _, errors = check(tmp_path, capfd, "sources:\n  orders: {kind: files, path: inbox/*}\n")

    assert code == 2
    (error,) = errors.splitlines()
    assert "sources.orders.path: inbox/a.json: is larger than 512 MiB, and its format is read as a whole" in error


def test_what_does_not_fit_in_memory_is_told_with_its_cure(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where little is free each part that takes more says so: a document, a key, a fit; it is a warning, and may be wrong."""
    (inbox(tmp_path) / "a.json").write_text("[" + ",".join(f'{{"id": {number}}}' for number in range(300_000)) + "]")
    (tmp_path / "inbox" / "a.csv").write_text("id\n" + "1\n" * 500_000)
    monkeypatch.setattr("tasks.estimate.pipeline.find_memory", lambda: Memory(_GIB, 310 * 2**20))
    sources = (
        "  whole: {kind: files, path: inbox/a.json}\n"
        "  keyed: {kind: files, path: inbox/a.csv, key: [id]}\n"
        "  orders: {kind: files, path: inbox/a.csv}\n"
    )

    code, output, _ = check(tmp_path, capfd, f"sources:\n{sources}{TRAINING}")

    assert code == 0
    needed = r"needs about \d+ MB of memory, and about 10 MB are there"
    cure = "split inbox/a.json, or write it as JSON lines or CSV, which are read block by block"
    assert re.search(f"warning: convert whole: {needed}; {cure}", output)
    assert re.search(
        r"warning: convert keyed: needs about .* MB .*; a key has each row compared with all others", output
    )
    assert re.search(r"warning: train ridge: needs about .* for \d+ fits? at once; .*training.sample_rows", output)


def test_files_in_a_store_are_listed_and_not_read(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What they are once decompressed is as usual; rows are known once a table has rows of such files."""
    store = fsspec.filesystem("memory")
    store.pipe("/sizes/a.csv.gz", bytes(3_000_000))

    code, output, _ = check(tmp_path, capfd, "sources:\n  a: {kind: files, path: 'memory://sizes/a.csv.gz'}\n")

    assert (code, cells_of(output, "convert a")[1:5]) == (0, ["1 file", "3.0 MB", "15 MB", "?"])


def test_what_is_damaged_is_left_to_the_run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """An estimate of it is what its size gives, or nothing; it ends no check."""
    contents = {"a.csv.gz": b"id\n1\n", "b.xlsx": b"PK\3\4", "c.parquet": b"PAR1", "d.json": b"{\xff", "e.csv": b""}
    sources = ""
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        sources += f"  {name[0]}: {{kind: files, path: {name}}}\n"

    code, output, _ = check(tmp_path, capfd, f"sources:\n{sources}")

    assert (code, [cells_of(output, f"convert {name[0]}")[4] for name in contents]) == (0, ["?"] * len(contents))
