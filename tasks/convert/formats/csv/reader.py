"""A block of CSV as typed rows: by pyarrow at once where it is as expected, else record by record, every misfit told."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.convert.formats.csv.at_once import parse_but_rejects, read_texts_at_once
from tasks.convert.formats.csv.lines import take_lines, without_blank_lines
from tasks.convert.formats.csv.parse import CsvBlock, parse_typed
from tasks.convert.formats.csv.records import UNDECODABLE, Records, tell_width
from tasks.convert.formats.csv.second import warn_elsewhere, warn_of_second
from tasks.convert.formats.header import REPEATED, find_repeats, find_second, warn_of_repeats, warn_of_second_header
from tasks.convert.schema.blocks import RawBlock, Schema, TypedBlock
from tasks.convert.schema.cast import cast_block
from tasks.convert.schema.misfits import join_misfits, make_misfits


def parse_csv(block: CsvBlock, schema: Schema) -> TypedBlock:
    """Return the rows of a block, typed, and the records that do not fit."""
    if not block.head.names or _is_empty(block):
        return cast_block(read_texts_at_once(block) or read_texts(block), schema)
    is_broken = block.quote and len(block.records.unclosed)  # so that nothing else can read it
    parsed = _parse_but_unclosed(block, schema) if is_broken else _parse_at_once(block, schema)
    return parsed or cast_block(read_texts(block), schema)


def _parse_at_once(block: CsvBlock, schema: Schema, *, had_blank: bool = False) -> TypedBlock | None:
    """Return the rows of a block, typed, without its blank lines and rejects; None where only a reader can tell them. It may have `had_blank` lines."""
    # Where comments were made blank some surely are; others cost a search, where no quote had all lines told.
    lined = without_blank_lines(block) if block.raw is not None and _may_have_blank_lines(block) else block
    had_blank = had_blank or lined is not block
    parsed = parse_typed(lined, schema, warn_elsewhere if had_blank else warn_of_second)
    if parsed is None and lined is block:
        lined = without_blank_lines(block)
        had_blank = had_blank or lined is not block
        parsed = parse_typed(lined, schema, warn_elsewhere) if lined is not block else None
    if parsed is not None:
        told = warn_of_second(lined) if had_blank else ()
        return replace(parsed, warnings=[*parsed.warnings, *told])
    if (parsed := parse_but_rejects(lined, schema)) is not None:
        return parsed
    found = read_texts_at_once(lined)
    return None if found is None else cast_block(found, schema)


def _parse_but_unclosed(block: CsvBlock, schema: Schema) -> TypedBlock | None:
    """Return the rows of a block with lines that open a quote which is never closed: these are told, and the others read as if they stood alone; None where only a reader can tell those."""
    if not block.quote:
        return None
    records, unclosed = block.records, block.records.unclosed
    is_kept = np.ones(len(records.lines), dtype=bool)
    is_kept[unclosed] = is_kept[blank := records.blank] = False
    others = take_lines(block, is_kept)
    others = replace(others, is_settled=True, known=records.settle(others.window, is_kept))
    if (found := _parse_at_once(others, schema, had_blank=len(blank) > 0)) is None:
        return None
    broken = make_misfits(block.locate(unclosed), records.why_broken)
    misfits = join_misfits([broken, found.misfits])
    received = found.received + len(unclosed)
    return replace(found, received=received, misfits=misfits, warnings=[*records.warnings, *found.warnings])


def _may_have_blank_lines(block: CsvBlock) -> bool:
    return bool(block.quote) or block.window.has_blank_line


def _is_empty(block: CsvBlock) -> bool:
    return block.window.to_place(1).data in b"\r\n" and not block.window.data.strip(b"\r\n")


def read_texts(block: CsvBlock) -> RawBlock:
    """Return every record of a block as texts; one that is not like the header is a misfit."""
    records, head = block.records, block.head
    fields = [span.fields for span in records.spans]
    reasons, blanks = _tell_unlike(records, len(head.names)), _below_blanks(records, head.fields)
    alike = [place for place in range(len(fields)) if place not in reasons]
    repeats = sorted(alike[row] for row in find_repeats(head.fields, [fields[place] for place in alike]))
    second = find_second(fields, blanks)
    told = warn_of_repeats(records.locate(repeats)["line"].to_pylist())
    told += [] if second is None else [warn_of_second_header(f"line {records.locate([second])['line'][0].as_py():,}")]
    reasons |= dict.fromkeys(repeats, REPEATED)
    kept = [place for place in alike if place not in reasons] if repeats else alike
    unlike = make_misfits(records.locate(reasons), list(reasons.values()))
    misfits = join_misfits([records.broken, unlike])
    return RawBlock(
        _table_of([fields[place] for place in kept], head.names),
        len(kept) + len(misfits),
        misfits,
        lambda rows: records.locate(kept[row] for row in rows.tolist()),
        warnings=[*records.warnings, *told],
        decimal=head.dialect.decimal,
        is_decided=head.dialect.is_decided,
    )


def _tell_unlike(records: Records, width: int) -> dict[int, str]:
    """Return by their places the records that cannot be decoded, or have not so many fields, each with the reason."""
    reasons = dict.fromkeys(records.undecodable, UNDECODABLE)
    for place, span in enumerate(records.spans):
        if len(span.fields) != width:
            reasons.setdefault(place, tell_width(len(span.fields), width))
    return reasons


def _below_blanks(records: Records, header: Sequence[str]) -> Collection[int]:
    """Return the places of the records below a blank one, or blank lines, that may be the header of another table: not this one's again."""
    spans = records.spans
    blank = [not any(span.fields) for span in spans]
    below = {
        n
        for n in range(1, len(spans))
        if not blank[n] and (blank[n - 1] or records.has_blank(spans[n - 1].end, spans[n].start))
    }
    return {n for n in below if tuple(spans[n].fields) != header} if header else ()


def _table_of(rows: Sequence[Sequence[str]], names: Sequence[str]) -> pa.Table:
    """Return rows as columns of texts, an empty one null: made of all at once, and then divided, in a third of the time."""
    texts = pa.array([text for row in rows for text in row], pa.string())
    texts = pc.if_else(pc.equal(texts, ""), None, texts)
    return pa.table({n: texts.take(np.arange(place, len(texts), len(names))) for place, n in enumerate(names)})
