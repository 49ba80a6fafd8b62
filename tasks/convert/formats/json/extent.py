"""How many bytes a record of a JSON document takes, by the head of the document: its first records alone are read."""

from __future__ import annotations

import json
import re

from tasks.config import Reading
from tasks.core.body_paths import list_steps

_RECORDS = 200
_BLANKS = re.compile(r"[\s,]*")
_ID = re.compile(r'[\s,]*"(?:[^"\\]|\\.)*"\s*:\s*')
_scan = json.JSONDecoder().raw_decode


def find_record_bytes(head: bytes, reading: Reading) -> float | None:
    """Return how many bytes a record takes; None where none of the head can be told from what is around it.

    >>> find_record_bytes(b'{"items": [{"id": 1}, {"id": 2}, {"i', Reading(records_at="items"))
    10.0

    """
    if reading.shape == "columns":  # of which the head has the first column alone
        return None
    text = head.decode("utf-8-sig", "ignore")
    start = _find_begin(text, reading)
    if start is None:
        return None
    between = _ID if reading.shape == "by_id" else _BLANKS
    place, records = start, 0
    while records < _RECORDS and (gap := between.match(text, place)):
        try:
            _, place = _scan(text, gap.end())
        except (ValueError, RecursionError):
            break
        records += 1
    return len(text[start:place].encode()) / records if records else None


def _find_begin(text: str, reading: Reading) -> int | None:
    """Return where the first record may begin: within the list, or object of records, that is declared."""
    begin = "{" if reading.shape == "by_id" else "["
    if reading.records_at is None:
        found = re.match(rf"\s*\{begin}", text)
    else:
        *_, (name, _) = list_steps(reading.records_at)
        found = re.search(rf"{re.escape(json.dumps(name, ensure_ascii=False))}\s*:\s*\{begin}", text)
    return found.end() if found else None
