"""What was guessed of a source's files, together: whether it contradicts itself, what of it is told, and what is shown."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from tasks.config import Column, Reading
from tasks.config.files import KEYS_OF_FORMATS
from tasks.config.formats import FORMATS
from tasks.convert.parts.part import Part
from tasks.convert.schema.blocks import Guess, Hint
from tasks.convert.schema.spelling import Spelling
from tasks.convert.schema.types import NULL_TEXTS, Types
from tasks.convert.staging.context import ConvertedFile, add_taken
from tasks.convert.table.hints import ColumnHint, find_hints
from tasks.core.errors import TableError
from tasks.core.escaping import count

_TITLE_CHARACTERS = 80
_SHOWN_AS: Mapping[str, str] = {"long": "int"}
_OF_ONE_FILE: Mapping[str, Any] = {
    "title": "",
    "totals": "",
    "totals_kept": False,
    "doubts": (),
    "units": (),
    "units_text": "",
    "footer_text": "",
    "blank": 0,
}
"""What is guessed of a file, and not how it is read."""
SHOWN = 20  # ways of reading in one source; more are no way


@dataclass(frozen=True)
class SharedGuess:
    """What was guessed of `files` files in one way, the first of which is `file`."""

    guess: Guess
    files: int
    file: str


@dataclass(frozen=True)
class TypeGuess:
    """The type that a column has in the table, where files differ: by which file, and what it was in another."""

    column: str
    type: str
    file: str
    other: str
    other_file: str


@dataclass(frozen=True)
class Guesses:
    """What was guessed of a source's files: how they were read, which texts are null, and types on which files differ."""

    shared: tuple[SharedGuess, ...] = ()
    types: tuple[TypeGuess, ...] = ()
    hints: tuple[ColumnHint, ...] = ()
    taken: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """How often each text was taken off the numbers of a column, as is declared."""
    units: Mapping[str, str] = field(default_factory=dict)
    """By column the unit that stands below its name in a file, the first of them that has one."""
    left_out: tuple[str, ...] = ()
    """Sentences on the lines that are declared to be no rows, and are neither in the table nor in its rejects."""

    def as_data(self) -> dict[str, Any]:
        """Return the guesses as plain JSON-able data."""
        shared = [{"file": each.file, "files": each.files, **_shared_guess(each.guess)} for each in self.shared]
        nulls = list(NULL_TEXTS) if shared else []
        types, hints = [asdict(each) for each in self.types], [asdict(each) for each in self.hints]
        more = {"units": dict(self.units), "left_out": list(self.left_out)}
        told = {key: value for key, value in more.items() if value}
        return {"read": shared, "nulls": nulls, "types": types, "hints": hints, **told}


def _shared_guess(guess: Guess) -> dict[str, Any]:
    """Return what is guessed of the form of a file, without the texts of single lines."""
    return {key: value for key, value in asdict(guess).items() if key not in _OF_ONE_FILE}


def gather_guesses(
    files: Mapping[str, ConvertedFile],
    parts: Collection[Part],
    types: Types,
    spellings: Mapping[str, Spelling],
) -> Guesses:
    """Return what was guessed of a table's files, alike guesses together, the most frequent first, and what its texts may be."""
    found: dict[Guess, list[str]] = {}
    for file in files.values():
        if file.guess is not None:
            found.setdefault(replace(file.guess, **_OF_ONE_FILE), []).append(file.name)
    shared = [SharedGuess(guess, len(names), names[0]) for guess, names in found.items()]
    shared.sort(key=lambda each: -each.files)
    taken = {column: counts for column, counts in add_taken(file.taken for file in files.values()).items() if counts}
    hints = find_hints(spellings)
    if not found:
        return Guesses(taken=taken, hints=hints)
    units = {column: unit for column, (unit, _) in _first_units(files).items() if column in types}
    differing = tuple(_differing(files, parts, types))
    return Guesses(tuple(shared[:SHOWN]), differing, hints, taken, units, tuple(_tell_left_out(files)))


def _tell_left_out(files: Mapping[str, ConvertedFile]) -> Iterator[str]:
    """Yield a sentence on the lines that `skip_footer` leaves out, and one on those that `skip_blank` does."""
    read = [(file.name, file.guess) for file in files.values() if file.guess is not None]
    footers = [(name, guess.footer_text) for name, guess in read if guess.footer]
    blanks = [name for name, guess in read if guess.blank]
    if footers:
        lines, (name, text) = sum(guess.footer for _, guess in read), footers[0]
        yield (
            f"{_count(lines, 'last line', 'last lines')} of {_count(len(footers), 'file', 'files')} left out by "
            f"read.skip_footer, the first {text[:_TITLE_CHARACTERS]!r} in {name}"
        )
    if blanks:
        lines = sum(guess.blank for _, guess in read)
        yield f"{_count(lines, 'line', 'lines')} without any value left out by read.skip_blank, the first in {blanks[0]}"


def _first_units(files: Mapping[str, ConvertedFile]) -> dict[str, tuple[str, str]]:
    """Return by column the unit in the first file that has one, and that file."""
    found: dict[str, tuple[str, str]] = {}
    for file in files.values():
        for column, unit in file.guess.units if file.guess else ():
            found.setdefault(column, (unit, file.name))
    return found


def _differing(files: Mapping[str, ConvertedFile], parts: Iterable[Part], types: Types) -> Iterable[TypeGuess]:
    """Yield the columns whose type is not that of every file."""
    first: dict[str, dict[str, str]] = {}
    for part in parts:
        name = next((name for name in part.rows if name in files), None)
        for column, kind in part.types.items():
            if name is not None and kind != "null":
                first.setdefault(column, {}).setdefault(_SHOWN_AS.get(kind, kind), name)
    for column, kind in types.items():
        met, wanted = first.get(column, {}), _SHOWN_AS.get(kind, kind)
        others = [kind for kind in met if kind != wanted]
        if others and wanted in met:
            yield TypeGuess(column, wanted, met[wanted], others[0], met[others[0]])
        elif len(others) > 1:
            yield TypeGuess(column, wanted, met[others[0]], others[1], met[others[1]])


def refuse_contradictions(files: Mapping[str, ConvertedFile]) -> None:
    """Raise where some files of a source were read with a header and some without, or numbers may be a thousand times what others are.

    Raises:
        TableError: they were, and what is declared does not say which is right.

    """
    by_header: dict[bool, str] = {}
    for file in files.values():
        if file.guess is not None and file.guess.header is not None and (file.rows_received or file.guess.header):
            by_header.setdefault(file.guess.header, file.name)
    if len(by_header) > 1:
        raise TableError(
            f"{by_header[True]} seems to begin with a header, and {by_header[False]} with a row; "
            "declare read.header: true or false, or give them sources of their own"
        )
    commas = {file.guess.delimiter: file.name for file in files.values() if file.guess and file.guess.decimal == ","}
    for file in files.values():
        if file.guess is not None and file.guess.doubts and file.guess.delimiter in commas:
            raise TableError(
                f"{file.name} has {file.guess.doubts[0].example!r}, which may be a whole number or one with decimals, and "
                f"{commas[file.guess.delimiter]} has decimal commas; declare read.decimal"
            )


def warn_of_unused_keys(files: Mapping[str, ConvertedFile], reading: Reading) -> list[str]:
    """Return a sentence on each key of `read` that is declared and says something of none of the files."""
    formats = {name: file.guess.format for name, file in files.items() if file.guess is not None}
    if not formats:
        return []
    first, kind = next(iter(formats.items()))
    endings = FORMATS.by_suffix
    kinds = {endings[f".{each}"].name for each in formats.values() if f".{each}" in endings}
    by_key = {key: FORMATS.names_with(key) for key in KEYS_OF_FORMATS}
    of = {key: f"of {' and '.join(names)}" for key, names in by_key.items() if kinds.isdisjoint(names)}
    if not any(".zip" in name.lower() for name in formats):
        of["member"] = "of a .zip"
    return [
        f"read.{key} is {of[key]}, and no file is one, e.g. {first} is {kind}; take it out, or declare read.format"
        for key in of
        if getattr(reading, key) is not None
    ]


def warn_of_guesses(files: Mapping[str, ConvertedFile], types: Types, columns: Mapping[str, Column]) -> tuple[str, ...]:
    """Return a sentence on each kind of line that is no row, or may be none, and one on numbers in doubt.

    What is declared of `columns` may leave no doubt.
    """
    read = [(file.name, file.guess) for file in files.values() if file.guess is not None]
    titled = [each for each in read if each[1].title]
    totals = [each for each in read if each[1].totals and not each[1].totals_kept]
    kept = [each for each in read if each[1].totals and each[1].totals_kept]
    said = [_warn_of_titles(titled, read) if titled else "", _warn_of_totals(totals) if totals else ""]
    said += [_warn_of_found_units(read), *_warn_of_differing_units(files)]
    doubted = {hint.column: (name, hint) for name, guess in reversed(read) for hint in guess.doubts}
    open_doubts = [found for column, found in doubted.items() if _is_open(types.get(column), columns.get(column))]
    said += [_warn_of_kept(kept) if kept else ""]
    return tuple(filter(None, [*said, _warn_of_doubted(open_doubts) if open_doubts else ""]))


def _is_open(kind: str | None, declared: Column | None) -> bool:
    """Return whether a point in the numbers of a column may have been meant otherwise than it was read."""
    return kind == "float" and (declared is None or (declared.decimal is None and declared.thousands is None))


def warn_of_strangers(files: Mapping[str, ConvertedFile], parts: Iterable[Part]) -> tuple[str, ...]:
    """Return a sentence where two files have no column in common, as files have whose first rows were taken for headers."""
    first: tuple[str, set[str]] | None = None
    for part in parts:
        name = next((name for name in part.rows if name in files), "")
        guess = files[name].guess if name else None
        if guess is None or not guess.header or not part.types:
            continue
        if first is None:
            first = name, set(part.types)
        elif first[1].isdisjoint(part.types):
            one, other = sorted([first[0], name])
            return (
                f"{one} and {other} have no column in common; if their first records are rows, "
                "declare read.header: false, else give them sources of their own, or rename their columns",
            )
    return ()


def warn_of_units(files: Mapping[str, ConvertedFile], columns: Mapping[str, Column]) -> Iterator[str]:
    """Yield a sentence on each column whose numbers have units that differ, where any is taken off."""
    for name, counts in add_taken(file.taken for file in files.values()).items():
        if len(counts) > 1 and columns[name].strip is True:
            units = ", ".join(f"{unit!r:.30} {count(number, 'time')}" for unit, number in counts.items())
            yield (
                f"{name}: numbers of different units stand in one column as if they had one: {units}; list the one that "
                f"is right, as strip: [{next(iter(counts))!r}], which makes rows with others rejects"
            )


def _warn_of_titles(titled: Sequence[tuple[str, Guess]], read: Sequence[tuple[str, Guess]]) -> str:
    name, guess = titled[0]
    counts = {each.skipped for _, each in titled}
    alike = len(titled) == len(read) and len(counts) == 1
    are_comments = all(each.title.startswith("#") and each.delimiter for _, each in titled)
    cure = "declare read.comment: '#', unless the header begins so" if are_comments else "take them out of the files"
    cure = f"declare read.skip_rows: {guess.skipped}" if alike else cure
    other = next((f", and {each.skipped} in {other}" for other, each in read if each.skipped != guess.skipped), "")
    return (
        f"{_count(len(titled), 'file begins', 'files begin')} with lines above the header that were skipped, "
        f"e.g. {guess.skipped} in {name}, the first {guess.title[:_TITLE_CHARACTERS]!r}{other}; "
        f"if that is right, {cure}; if these are rows, declare read.skip_rows: 0"
    )


def _warn_of_found_units(read: Sequence[tuple[str, Guess]]) -> str:
    """Return a sentence on the rows of units that were found, and on a file that has none."""
    found = [each for each in read if each[1].units_text]
    if not found:
        return ""
    name, guess = found[0]
    without = next((other for other, each in read if not each.has_units), None)
    cure = (
        "declare read.units_row: true" if without is None else f"give files without one, as {without}, their own source"
    )
    return (
        f"{_count(len(found), 'file has', 'files have')} a row of units below the header that is no row of the table, "
        f"e.g. {guess.units_text[:_TITLE_CHARACTERS]!r} in {name}; if that is right, {cure}; if it is a row, declare "
        "read.units_row: false"
    )


def _warn_of_differing_units(files: Mapping[str, ConvertedFile]) -> Iterator[str]:
    """Yield a sentence on each column whose unit is not that of every file that tells one."""
    first = _first_units(files)
    others: dict[str, str] = {}
    for file in files.values():
        for column, unit in file.guess.units if file.guess else ():
            if unit != first[column][0]:
                others.setdefault(column, f"{unit!r} in {file.name}")
    for column, other in others.items():
        unit, name = first[column]
        yield (
            f"{column}: numbers of different units stand in one column as if they had one: {unit!r} in {name} and {other}; "
            "give these files sources of their own"
        )


def _warn_of_totals(totals: Sequence[tuple[str, Guess]]) -> str:
    name, guess = totals[0]
    return (
        f"{_count(len(totals), 'file ends', 'files end')} with a line that looks like totals and is a reject, "
        f"e.g. {guess.totals[:_TITLE_CHARACTERS]!r} in {name}; "
        "if these are rows, declare the type of the column that its first text is in, or read.skip_footer: 0"
    )


def _warn_of_kept(kept: Sequence[tuple[str, Guess]]) -> str:
    name, guess = kept[0]
    return (
        f"{_count(len(kept), 'file ends', 'files end')} with a line that may be totals and is in the table, "
        f"e.g. {guess.totals[:_TITLE_CHARACTERS]!r} in {name}; "
        "take it out of the file, or declare the type of the column that its first text is in"
    )


def _warn_of_doubted(doubted: Sequence[tuple[str, Hint]]) -> str:
    name, hint = doubted[0]
    more = f", and the like in {_count(len(doubted) - 1, 'column', 'columns')} more" if len(doubted) > 1 else ""
    return (
        f"{name} has {hint.example!r} in {hint.column}{more}, and nothing tells whether the point separates decimals, as "
        "it was read, or thousands; declare read.decimal: '.' or ','"
    )


def _count(number: int, one: str, many: str) -> str:
    return f"1 {one}" if number == 1 else f"{number:,} {many}"
