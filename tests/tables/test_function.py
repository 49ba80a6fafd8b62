"""Tables made by functions: called with tables by their names, in a process of their own, within limits."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import signal
import threading
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.convert.parts.part import read_part
from tasks.core.errors import ConfigError, RunnerError, TableError
from tasks.core.isolation.client import _Servers, calls_end, start_call_server, stop_call_server
from tasks.core.storage import DataFolder, hash_file
from tasks.runners.worker_check import place_for_workers
from tasks.tables import function
from tasks.tables.function import find_function_mistakes, functions_ready
from tasks.tables.made import MadeTableJob
from tasks.tables.tasks import _refuse_other_texts, call_elsewhere, make_one
from tests.processes import children, command_of, is_running
from tests.tables.conftest import changed, make, rows_of, written
from tests.train.test_failures import wait_until

_TABLE = "  t: {python: prepare:made, inputs: [rows]}\n"
_STAYS = """
import os, pathlib, time
def made(rows):
    pathlib.Path(__file__).with_name("pids").open("a").write(f"{os.getpid()}\\n")
    time.sleep(600)
"""
_PATIENCE_S = 4.0  # a process that is asked to end has five seconds


def test_a_function_makes_a_table(data: Path) -> None:
    """It is given DataFrames by their names; a named index of its result is a column, and whole numbers with nulls stay so."""
    config = written(
        data,
        _TABLE,
        prepare="def made(rows):\n    return rows.groupby('word').agg(n=('id', 'sum'), p=('price', 'max'))\n",
    )

    made = make(data, config)

    assert made["t"].types == {"word": "string", "n": "int", "p": "float"}
    assert rows_of(data, "t") == [{"word": "a", "n": 4, "p": 4.0}, {"word": "b", "n": 2, "p": None}]


def test_a_function_may_take_arrow_tables(data: Path) -> None:
    """And return one; the parts are sorted and divided as declared."""
    text = "  t: {python: prepare:made, inputs: [rows], frames: arrow, partition_by: [word], sort_by: [price]}\n"
    config = written(data, text, prepare="def made(rows):\n    return rows.drop_columns(['id'])\n")

    make(data, config)

    assert rows_of(data, "t") == [
        {"day": dt.date(2024, 1, 5), "price": 2.5, "word": "a"},
        {"day": dt.date(2024, 1, 7), "price": 4.0, "word": "a"},
        {"day": dt.date(2024, 2, 6), "price": None, "word": "b"},
    ]


def test_a_function_of_arrow_tables_waits_for_no_pandas(data: Path) -> None:
    """Its import is most of a second; a function that wants it imports it."""
    stop_call_server()
    text = "  t: {python: prepare:made, inputs: [rows], frames: arrow}\n"
    code = "import sys\ndef made(rows):\n    assert 'pandas' not in sys.modules\n    return rows\n"

    make(data, written(data, text, prepare=code))

    assert len(rows_of(data, "t")) == 3


async def test_the_process_of_functions_begins_before_the_first(data: Path) -> None:
    """It is the one that calls it, with pandas where one of them takes frames; where none does, none begins."""
    config = await asyncio.to_thread(written, data, _TABLE, prepare="def made(rows):\n    return rows\n")
    await asyncio.to_thread(stop_call_server)
    async with functions_ready({}):
        none = await asyncio.to_thread(_servers)

    async with functions_ready(config.tables):
        begun = await asyncio.to_thread(_servers)
        await asyncio.to_thread(make, data, config)
        there = await asyncio.to_thread(_servers)

    assert (none, begun, len(begun)) == (set(), there, 1)
    assert await asyncio.to_thread(_servers) == set()


def test_the_process_that_looks_at_functions_calls_them(data: Path) -> None:
    """It has imported what they need by then: of models of the pipeline file, which take long to import, that is nothing."""
    code = "import sys\nimport pandas as pd\ndef made(rows):\n    return pd.DataFrame({'m': sorted(sys.modules)})\n"
    config = written(data, _TABLE, prepare=code)
    stop_call_server()

    assert find_function_mistakes(config) == []
    looked = _servers()
    make(data, config)

    assert len(looked) == 1
    assert looked <= _servers()
    modules = {row["m"] for row in rows_of(data, "t")}
    assert "pandas" in modules
    assert not {"tasks.config", "pydantic", "prefect", "duckdb"} & modules


async def test_the_process_of_functions_ends_at_once_where_none_is_called(data: Path) -> None:
    """Also while it still imports: a run with nothing new does not wait for it."""
    config = await asyncio.to_thread(written, data, _TABLE, prepare="def made(rows):\n    return rows\n")
    await asyncio.to_thread(stop_call_server)

    async with functions_ready(config.tables):
        (server,) = await asyncio.to_thread(_servers)
        os.kill(server, signal.SIGSTOP)
        start = time.monotonic()

    assert time.monotonic() - start < _PATIENCE_S
    assert await asyncio.to_thread(_servers) == set()


async def test_the_process_of_calls_ends_with_the_last_block_that_has_it() -> None:
    """Whichever of those that overlap began it: what another still calls is not killed."""
    await asyncio.to_thread(stop_call_server)

    async with AsyncExitStack() as later:
        async with calls_end():
            await asyncio.to_thread(start_call_server, ())
            (begun,) = await asyncio.to_thread(_servers)
            await later.enter_async_context(calls_end())
        there = await asyncio.to_thread(_servers)

    assert there == {begun}
    assert await asyncio.to_thread(_servers) == set()


def test_a_block_of_calls_that_begins_while_another_s_process_ends_ends_its_own() -> None:
    """It took the process that was about to end for another's, and left the one that it began for as long as a worker lives."""
    before, servers = _servers(), _Servers()
    servers.enter_block()
    servers.start(())
    first = servers.leave_block()
    servers.enter_block()
    servers.start(())
    second = servers.leave_block()

    for stop in (first, second):
        assert stop is not None
        stop()

    assert not servers.is_running
    assert _servers() <= before


def test_a_date_stays_one(data: Path) -> None:
    """To pandas it is a time; a column that is moved within the day is one of times."""
    code = "def made(rows):\n    return rows.assign(at=rows.day, price=rows.day)[['day', 'at', 'price']]\n"
    moved = "import pandas as pd\ndef made(rows):\n    return rows.assign(day=rows.day + pd.Timedelta('6h'))[['day']]\n"
    config = written(
        data,
        "  t: {python: prepare:made, inputs: [rows]}\n  m: {python: move:made, inputs: [rows]}\n",
        prepare=code,
        move=moved,
    )

    made = make(data, config)

    assert made["t"].types == {"day": "date", "at": "timestamp", "price": "timestamp"}
    assert made["m"].types == {"day": "timestamp"}
    assert {row["day"] for row in rows_of(data, "t")} == {dt.date(2024, 1, n) for n in (5, 7)} | {dt.date(2024, 2, 6)}


def test_rows_of_a_function_that_sort_as_one_stand_in_the_order_of_their_other_columns(data: Path) -> None:
    """As those of a query do."""
    text = "  t: {python: prepare:made, inputs: [rows], sort_by: [word]}\n"
    config = written(data, text, prepare="def made(rows):\n    return rows[['word', 'id']][::-1]\n")

    make(data, config)

    assert [(row["word"], row["id"]) for row in rows_of(data, "t")] == [("a", 1), ("a", 3), ("b", 2)]


def test_a_whole_number_beside_a_null_loses_no_digit(data: Path) -> None:
    """As a float it would."""
    config = written(
        data,
        "  big: {query: 'SELECT CASE WHEN id > 1 THEN 9007199254740993 END AS n FROM rows'}\n"
        "  t: {python: prepare:made, inputs: [big]}\n",
        prepare="def made(big):\n    return big\n",
    )

    make(data, config)

    assert sorted((row["n"] for row in rows_of(data, "t")), key=str) == [9007199254740993, 9007199254740993, None]


def test_a_table_with_a_dash_is_an_argument(data: Path) -> None:
    """With _ in its place, as Python writes names."""
    tables = "  in-stock: {query: 'SELECT id FROM rows'}\n  t: {python: prepare:made, inputs: [in-stock]}\n"
    config = written(data, tables, prepare="def made(in_stock):\n    return in_stock\n")

    make(data, config)

    assert [row["id"] for row in rows_of(data, "t")] == [1, 2, 3]


def test_two_inputs_of_one_name_are_refused(data: Path) -> None:
    """One of them would not reach the function."""
    tables = "  in-stock: {query: 'SELECT 1 AS x'}\n  in_stock: {query: 'SELECT 2 AS x'}\n"
    with pytest.raises(ConfigError, match="two of the inputs in-stock, in_stock have one name"):
        written(data, f"{tables}  t: {{python: prepare:made, inputs: [in-stock, in_stock]}}\n")


@pytest.mark.parametrize("made", ["python: prepare:made, inputs: [rows]", "query: SELECT * FROM rows"])
def test_a_table_that_it_is_made_of_is_not_there(tmp_path: Path, made: str) -> None:
    """The cure is to convert it, not to correct the SQL or the function."""
    config = written(tmp_path, f"  t: {{{made}}}\n", prepare="def made(rows):\n    return rows\n")

    with pytest.raises(TableError, match=r"^tables\.t: is made of rows, of which no row has come yet; run convert"):
        make(tmp_path, config)


def test_a_changed_module_makes_the_table_again(data: Path) -> None:
    """And so does one beside it that it imports."""
    code = "from beside import FACTOR\n\ndef made(rows):\n    return rows[['id']] * FACTOR\n"
    config = written(data, _TABLE, prepare=code, beside="FACTOR = 2\n")
    assert changed(make(data, config)) == ["t"]
    assert changed(make(data, config)) == []

    (data / "beside.py").write_text("FACTOR = 30\n")

    assert changed(make(data, config)) == ["t"]
    assert [row["id"] for row in rows_of(data, "t")] == [30, 60, 90]


@pytest.mark.parametrize(
    ("code", "limits", "said"),
    [
        ("def made(rows):\n    raise ValueError('no luck')\n", "", "ValueError: no luck"),
        ("def made(rows):\n    return 5\n", "", "returns a int; return a DataFrame, or an Arrow table"),
        ("def made(rows):\n    return rows[[]]\n", "", "returns no column; return some"),
        ("def made(rows):\n    return rows.rename(columns={'id': 3})\n", "", "returns a column 3, which is no name"),
        ("def made(rows):\n    return rows.rename(columns={'id': 'WORD'})\n", "", "returns two columns 'WORD'"),
        (
            "def made(rows):\n    return rows.assign(day=rows['day'].dt.to_period('M'))\n",
            "",
            "returns periods in the column 'day'; make times of them",
        ),
        ("def other(rows):\n    return rows\n", "", "has no function 'made'; "),
        ("def made(wrong):\n    return wrong\n", "", "takes wrong, and is given rows; name its"),
        ("import nothing_of_the_kind\n", "", "ModuleNotFoundError: No module named 'nothing_of_the_kind'"),
        ("def made(rows):\n    while True: pass\n", ", time_limit_s: 1", "was killed after 1 s, its time_limit_s"),
        (
            "def made(rows):\n    kept = []\n    while True: kept.append(bytearray(10**7))\n",
            ", memory_limit_mb: 200",
            "(above|within) its memory_limit_mb of 200; raise it, or make it smaller",
        ),
        (
            "def made(rows):\n    raise MemoryError\n",
            ", memory_limit_mb: 200",
            "MemoryError: asked for more than there is, within its memory_limit_mb of 200; raise it",
        ),
        ("def made(rows):\n    raise MemoryError\n", "", "MemoryError: asked for more than there is; give it more"),
        ("import os\ndef made(rows):\n    os._exit(3)\n", "", "its process ended by itself with exit code 3"),
    ],
)
def test_a_function_that_makes_no_table_is_one_sentence(data: Path, code: str, limits: str, said: str) -> None:
    """What it raised, returned or took, in the words of its table."""
    config = written(data, f"  t: {{python: prepare:made, inputs: [rows]{limits}}}\n", prepare=code)

    with pytest.raises(TableError, match=rf"^tables\.t\.python: .*prepare\.py:made: .*({said})"):
        make(data, config)

    assert not (data / "tables" / "t").exists()


def test_a_module_that_is_nowhere_is_told(data: Path) -> None:
    """With where it is looked for."""
    config = written(data, "  t: {python: nowhere_at_all:made, inputs: [rows]}\n")

    with pytest.raises(
        TableError, match=r"there is no module 'nowhere_at_all'; put nowhere_at_all\.py beside the pipeline"
    ):
        make(data, config)


def _servers() -> set[int]:
    """Return the processes that this one has begun for calls; what they fork is named as they are."""
    return {each for each in children(os.getpid()) if "isolation.server" in command_of(each)}


def test_a_worker_with_another_file_of_a_function_is_refused(tmp_path: Path) -> None:
    """Its table would be another one, and stand as right."""
    file = tmp_path / "functions.py"
    file.write_text("def make(): ...")
    _refuse_other_texts("sums", {str(file): hash_file(file)})

    with pytest.raises(
        RunnerError, match=r"runner: a worker has another .*functions\.py than this machine.* tables\.sums"
    ):
        _refuse_other_texts("sums", {str(file): "0" * 64})


def test_a_worker_ends_a_function_whose_run_has_ended(data: Path) -> None:
    """The run has removed the folder in which it waited for the rows, and no cluster ends what has begun."""
    table, inputs = written(data, _TABLE, prepare=_STAYS).tables["t"], {"rows": data / "tables/rows"}
    with place_for_workers(data) as place:

        def end_run() -> None:
            wait_until(lambda: _begun(data))
            place.rename(data / "gone")

        ending = threading.Thread(target=end_run)
        ending.start()

        with pytest.raises(RunnerError, match=r"the worker \S+ \(process \d+\): its run has ended"):
            call_elsewhere.fn("t", table, inputs, place)

    ending.join()
    (pid,) = _begun(data)
    wait_until(lambda: not is_running(pid))


async def test_a_cancelled_table_ends_its_function(data: Path) -> None:
    """It is not called again when the process of functions ends."""
    config = await asyncio.to_thread(written, data, _TABLE, prepare=_STAYS)
    job = MadeTableJob("t", config.tables["t"], ("rows",), DataFolder.at(data), config.name)
    making = asyncio.ensure_future(make_one.fn(job, "t", fresh=False))
    await asyncio.to_thread(wait_until, lambda: _begun(data))

    making.cancel()
    with pytest.raises(asyncio.CancelledError):
        await making

    (pid,) = await asyncio.to_thread(_begun, data)
    await asyncio.to_thread(wait_until, lambda: not is_running(pid))


def _begun(data: Path) -> list[int]:
    """Return the processes in which a function that stays was called."""
    pids = data / "pids"
    return [int(line) for line in pids.read_text().split("\n")[:-1]] if pids.is_file() else []


def test_a_function_is_given_one_version_of_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That which was the current one as it was opened, though another run takes its place between two parts; or it is told."""
    for version in (1, 2):
        (tmp_path / str(version)).mkdir()
        for part in ("a", "b"):
            pq.write_table(pa.table({"version": [version]}), tmp_path / f"{version}/{part}.parquet")
    link = tmp_path / "rows"
    link.symlink_to("1")

    def read_and_replace(part: Path) -> pa.Table:
        link.unlink()
        link.symlink_to("2")
        return read_part(part)

    monkeypatch.setattr(function, "read_part", read_and_replace)
    assert function._read(link).to_pydict() == {"version": [1, 1]}

    def read_and_remove(part: Path) -> pa.Table:
        (tmp_path / "2/b.parquet").unlink(missing_ok=True)
        return read_part(part)

    monkeypatch.setattr(function, "read_part", read_and_remove)
    with pytest.raises(TableError, match=r"/2/b\.parquet: is gone, as its table was made anew"):
        function._read(link)
