"""What in the tables that a pipeline makes of others, and in its training, would make a run fail, seen before it runs."""

from __future__ import annotations

import re
from collections.abc import Collection

from flows.summary import RunOptions
from tasks.config import Pipeline, Training, Truth
from tasks.core.errors import TableError
from tasks.core.scratch import scratch
from tasks.core.sql import check_query
from tasks.core.storage import DataFolder
from tasks.tables.draft import DraftedTables, draft_tables
from tasks.tables.function import find_function_mistakes
from tasks.tables.order import find_table_mistakes as find_order_mistakes
from tasks.tables.order import find_unknown_tables, tables_in
from tasks.train.checks.training_set import is_checked
from tasks.train.truth.join import find_query_mistakes

_QUERY, _TRUTH = "training.query", "truth.query"


def find_table_mistakes(
    config: Pipeline, folder: DataFolder, choice: RunOptions, *, in_tables: bool, doubtful: Collection[str]
) -> list[str]:
    """Return one sentence for each mistake of made tables and of the training; with `in_tables` also those that the tables show."""
    mistakes = find_order_mistakes(config)
    if choice.runs("tables"):
        mistakes += find_function_mistakes(config)
    with scratch("check") as folder_of_drafts:
        drafted = None
        if in_tables:
            try:
                drafted = draft_tables(config, folder, folder_of_drafts, _doubtful_tables(config, doubtful))
                mistakes += drafted.mistakes
            except TableError as error:
                mistakes += str(error).splitlines()
        if config.truth is not None and config.training is not None and choice.runs("train"):
            mistakes += _truth_mistakes(config, config.truth, config.training, drafted)
        if config.training is not None and choice.runs("train"):
            known = None if any(key.startswith(_QUERY) or key == "training" for key in doubtful) else drafted
            mistakes += _training_mistakes(config, config.training, folder, known)
    return mistakes


def _doubtful_tables(config: Pipeline, doubtful: Collection[str]) -> set[str]:
    """Return the tables of which nothing is known, because what is declared of them is wrong."""
    names = {name for key in doubtful for section, _, name in [key.partition(".")] if section in ("sources", "tables")}
    parts = {name.partition(".")[0] for name in names}
    return parts | {name for name, source in config.converted.items() if getattr(source, "of", None) in parts}


def _training_mistakes(
    config: Pipeline, training: Training, folder: DataFolder, drafted: DraftedTables | None
) -> list[str]:
    kept, tables = folder.training(config.name), {name: folder.table(name) for name in config.table_names}
    unquoted = _unquoted_tables(config, training)
    if not unquoted and is_checked(training, kept, tables):
        return []
    from tasks.train.checks.preview import find_row_mistakes  # noqa: PLC0415 - scikit-learn costs a second to import
    from tasks.train.checks.section import check_training  # noqa: PLC0415 - the same

    mistakes = [] if is_checked(training, kept) else check_training(training)
    if unquoted:  # which is all that is wrong with its syntax
        mistakes = [each for each in mistakes if not each.startswith(f"{_QUERY}:")]
    unknown = unquoted or find_unknown_tables(training.query, _QUERY, config)
    used = {*tables_in(training.query, config)}
    if drafted is None or unknown or check_query(training.query) or not used <= drafted.tables.keys():
        return unknown + mistakes
    return mistakes + find_row_mistakes(training, drafted.tables, is_rowless=bool(used & drafted.rowless))


def _truth_mistakes(config: Pipeline, truth: Truth, training: Training, drafted: DraftedTables | None) -> list[str]:
    mistakes = check_query(truth.query, _TRUTH) or find_unknown_tables(truth.query, _TRUTH, config)
    if mistakes or drafted is None or not {*tables_in(truth.query, config)} <= drafted.tables.keys():
        return mistakes
    return find_query_mistakes(truth, training.target, drafted.tables, training.query_limits)


def _unquoted_tables(config: Pipeline, training: Training) -> list[str]:
    """Return the tables whose names SQL would take for a subtraction."""
    return [
        f'training.query: the table {name} has a - in its name; write it in double quotes: "{name}"'
        for name in config.table_names
        if "-" in name and re.search(rf'(?<!["\w-]){re.escape(name)}(?!["\w-])', training.query)
    ]
