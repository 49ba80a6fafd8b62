"""Records that are no list of objects: columns as lists, and objects by their ids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tasks.core.errors import PermanentSourceError
from tests.ingest.sources import api, land_one, read_rows
from tests.site.server import Site

COLUMNS: dict[str, Any] = {"pagination": {"kind": "single"}, "records_at": None, "shape": "columns"}
BY_ID = {**COLUMNS, "shape": "by_id", "id_column": "id"}


@pytest.mark.parametrize(
    ("changes", "body", "rows"),
    [
        (COLUMNS, '{"day": ["1", "2"], "t": [1.5, null]}', [{"day": "1", "t": 1.5}, {"day": "2", "t": None}]),
        (COLUMNS | {"records_at": "h"}, '{"h": {"a b": [[1], {}]}, "u": 1}', [{"a b": [1]}, {"a b": {}}]),
        (COLUMNS, '{"day": [], "t": []}', []),
        (COLUMNS, "{}", []),
        (COLUMNS, "null", []),
        (BY_ID, '{"007": {"n": 1},\n "b": {}}', [{"id": "007", "n": 1}, {"id": "b"}]),
        (BY_ID | {"records_at": "d"}, '{"d": {"é\\"": {"n": "x"}}}', [{"id": 'é"', "n": "x"}]),
        (BY_ID | {"records_at": "d"}, '{"d": null}', []),
    ],
)
async def test_each_shape_gives_rows(
    site: Site, tmp_path: Path, changes: dict[str, Any], body: str, rows: list[dict[str, Any]]
) -> None:
    """Values at one place of the columns are a row; an id is a column of its record."""
    site.echo_body = body.encode()

    landed = await land_one(api(site, "/echo/body", **changes), tmp_path)

    assert read_rows(landed.path) == rows


async def test_numbers_stay_the_text_that_came(site: Site, tmp_path: Path) -> None:
    """No digit of a value is lost on its way into a row."""
    site.echo_body = b'{"n": [1.10, 12345678901234567890.5]}'

    landed = await land_one(api(site, "/echo/body", **COLUMNS), tmp_path)

    with pa.CompressedInputStream(pa.OSFile(str(landed.path)), "zstd") as lines:
        assert lines.read() == b'{"n":1.10}\n{"n":12345678901234567890.5}\n'


@pytest.mark.parametrize(
    ("changes", "body", "told"),
    [
        (COLUMNS, '{"a": [1, 2], "b": [1], "c": [3]}', r"the columns differ in how many .*: 'a' has 2, 'b' has 1"),
        (COLUMNS, '{"a": [1], "unit": "C"}', "'unit' is no list, as shape: columns needs; name the object"),
        (COLUMNS, "[1]", "the body is no object, which shape: columns needs"),
        (COLUMNS | {"records_at": "d"}, '{"d": 5}', "records_at: 'd' is no object, which shape: columns needs"),
        (BY_ID, '{"a": {"n": 1}, "total": 1}', "'total' is no object, as shape: by_id needs"),
        (BY_ID, '{"a": {"id": 1}}', "the record 'a' has a value 'id' of its own; choose another id_column"),
        (BY_ID, '{"error": {"code": 5}}', "the body holds nothing but error"),
        (
            BY_ID,
            '{"a": {"n": 1}, "b": {}, "\\u0061": {"n": 2}}',
            "'a' stands twice, and shape: by_id has one record for each id",
        ),
        (BY_ID, '{"a": {"n": NaN}, "a": {"n": 2}}', "'a' stands twice"),
        (COLUMNS | {"records_at": "h"}, '{"h": {"t": [1], "t": [2]}}', "records_at: 'h': 't' stands twice"),
    ],
)
async def test_another_shape_is_told(site: Site, tmp_path: Path, changes: dict[str, Any], body: str, told: str) -> None:
    """No row is guessed of columns that differ in length, and no record of what is none."""
    site.echo_body = body.encode()

    with pytest.raises(PermanentSourceError, match=told):
        await land_one(api(site, "/echo/body", **changes), tmp_path)


@pytest.mark.parametrize("changes", [BY_ID | {"id_column": None}, COLUMNS | {"id_column": "id"}])
def test_the_column_of_ids_has_a_name(site: Site, changes: dict[str, Any]) -> None:
    """It is declared with the shape that has ids, and with no other."""
    with pytest.raises(ValueError, match="belong together"):
        api(site, "/echo/body", **changes)
