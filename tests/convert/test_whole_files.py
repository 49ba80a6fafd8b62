"""Files that are read as a whole: no more of them are in memory at once than there are cores."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Any

import pytest

from tasks.convert.formats import registry
from tasks.convert.table.conversion import CORES
from tests.convert.conftest import files_source, make_table, write_files

_OTHERS_S = 0.05  # in which others would be read, were they not held back


class _Open:
    """Counts how many documents are under way, and how many were at most."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._now = 0
        self.most = 0

    def read(self, *given: Any) -> Iterator[Any]:
        """Return the blocks of a document, which is under way until the last of them is taken."""
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        time.sleep(_OTHERS_S)
        return self._to_its_end(registry.read_whole(*given))

    def _to_its_end(self, blocks: Iterator[Any]) -> Iterator[Any]:
        yield from blocks
        with self._lock:
            self._now -= 1


def test_no_more_documents_are_read_at_once_than_there_are_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is in memory until its rows are written; a hundred of 500 MB would be so together."""
    write_files(tmp_path, **{f"a{number}_json": f'[{{"id": {number}}}]' for number in range(2 * CORES + 1)})
    opened = _Open()
    monkeypatch.setattr("tasks.convert.staging.file.read_whole", opened.read)

    table = make_table(tmp_path, files_source())

    assert table.rows_table == 2 * CORES + 1
    assert opened.most <= CORES


def test_a_document_that_fails_leaves_its_place_to_the_next(tmp_path: Path) -> None:
    """Else what comes after it would wait for ever."""
    names = range(2 * CORES)
    write_files(tmp_path, **{f"a{number}_json": "[" for number in names})

    with pytest.raises(Exception, match="is not a JSON document") as told:
        make_table(tmp_path, files_source())

    assert str(told.value).count("is not a JSON document") == len(names)
