"""Columns of texts nearly all of which are numbers, dates or truths: what to declare, judged by every value that is in the table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tasks.convert.parts.part import Part
from tasks.convert.schema.shapes import Shape, add_shape
from tasks.convert.schema.spelling import Spelling, find_spelling
from tasks.convert.schema.target import TableTarget
from tasks.convert.schema.types import Types
from tasks.convert.staging.context import ConvertedFile

_NAMED = 5
_SHOWN = 3
_SHOWN_CHARACTERS = 40


@dataclass(frozen=True)
class ColumnHint:
    """What may be declared of a column of texts, of how many of its values that is so, and examples of these and of others."""

    column: str
    example: str
    declare: str
    values: int
    fitting: int
    others: tuple[str, ...] = ()


def find_hints(spellings: Mapping[str, Spelling]) -> tuple[ColumnHint, ...]:
    """Return what may be declared of the columns that are of texts in a table."""
    return tuple(_hint(name, spelling) for name, spelling in spellings.items())


def warn_of_texts(spellings: Mapping[str, Spelling]) -> Iterator[str]:
    """Yield a sentence on columns whose numbers are texts, and on those in which a few values make texts of dates or truths."""
    alike: dict[object, list[tuple[str, Spelling]]] = {}
    for name, spelling in spellings.items():
        if spelling.kind == "numbers" or spelling.others:
            same = spelling.declaration if not (spelling.others or spelling.either) else name
            alike.setdefault(same, []).append((name, spelling))
    for found in alike.values():
        (name, spelling), names = found[0], [name for name, _ in found]
        named = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
        yield f"{named}: {_tell(name, spelling)}"


def _tell(name: str, spelling: Spelling) -> str:
    """Return what makes a column one of texts, and the cure."""
    declare = f"columns: {{{name}: {{{spelling.declaration}}}}}"
    either = f" (or {{{spelling.either}}}, if that is what they mean)" if spelling.either else ""
    odd = f", as {_examples(spelling.odd)}" if spelling.odd else ""
    if not spelling.others:
        return f"texts, although all values are {spelling.kind}{odd}; declare {declare}{either}, or type: string if they are texts"
    left = spelling.values - spelling.fitting
    others = _examples(spelling.others)
    return (
        f"texts, although all but {left:,} of {spelling.values:,} values are {spelling.kind}{odd}; others are {others}: "
        f"declare {declare}{either}, by which rows with others are rejects, unless nulls lists them, or type: string if "
        "they are texts"
    )


def _examples(shapes: Sequence[Shape]) -> str:
    named = sorted((each for each in shapes if each.example), key=lambda each: -each.times)[:_SHOWN]
    told = ", ".join(f"{each.example.strip()!r:.{_SHOWN_CHARACTERS}}" for each in named)
    return told or "of other kinds"


def _hint(name: str, spelling: Spelling) -> ColumnHint:
    odd = sorted(spelling.odd, key=lambda each: -each.times)
    others = tuple(each.example.strip()[:_SHOWN_CHARACTERS] for each in spelling.others[:_SHOWN] if each.example)
    example = odd[0].example.strip() if odd else ""
    return ColumnHint(name, example, spelling.declaration, spelling.values, spelling.fitting, others)


def find_spellings(
    files: Mapping[str, ConvertedFile], parts: Iterable[Part], types: Types, target: TableTarget
) -> Iterator[tuple[str, Spelling]]:
    """Yield the columns of texts, in a table of these parts, nearly all of whose values are something else."""
    shapes: dict[str, dict[str, Shape]] = {}
    unknown: dict[str, int] = {}
    for part in parts:
        for name, stored in part.shapes.items():
            for shape, each in stored.items():
                if shape:
                    add_shape(shapes.setdefault(name, {}), shape, Shape(*each))
                else:
                    unknown[name] = unknown.get(name, 0) + each[0]
        for name, kind in part.types.items():
            if kind != "null" and name not in part.shapes:
                unknown[name] = unknown.get(name, 0) + part.total
    guesses = [file.guess for file in files.values() if file.guess is not None]
    decimals = [",", "."] if any(guess.decimal == "," for guess in guesses) else [".", ","]
    decimals = decimals if target.reading.decimal is None else [target.reading.decimal]
    are_texts = target.typed and not any(guess.delimiter for guess in guesses)
    for name, found in shapes.items():
        if types.get(name) == "string" and target.is_inferred(name):
            spelling = find_spelling([*found.values()], unknown.get(name, 0), decimals, are_texts=are_texts)
            is_divided = "," in name and spelling is not None and "," in spelling.declaration.partition(", ")[2]
            if (
                spelling is not None and not is_divided
            ):  # a header with commas above values with commas is several columns
                yield name, spelling
