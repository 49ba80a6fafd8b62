"""What in a training section would make a run fail, seen before it runs."""

from __future__ import annotations

import re

from tasks.config import Pipeline, Training
from tasks.core.sql import check_query
from tasks.core.storage import DataFolder
from tasks.train.checks.training_set import is_checked


def find_training_mistakes(config: Pipeline, training: Training, folder: DataFolder, *, in_tables: bool) -> list[str]:
    """Return one sentence for each mistake of a training section; with `in_tables` also those that the tables show."""
    if unquoted := _unquoted_tables(config, training):
        return unquoted
    kept, tables = folder.training(config.name), {name: folder.table(name) for name in config.table_names}
    if is_checked(training, kept, tables):
        return []
    from tasks.train.checks.preview import find_table_mistakes  # noqa: PLC0415 - scikit-learn costs a second to import
    from tasks.train.checks.section import check_training  # noqa: PLC0415 - the same

    mistakes = [] if is_checked(training, kept) else check_training(training)
    if in_tables and not check_query(training.query):
        mistakes += find_table_mistakes(training, tables)
    return mistakes


def _unquoted_tables(config: Pipeline, training: Training) -> list[str]:
    """Return the tables whose names SQL would take for a subtraction."""
    return [
        f'training.query: the table {name} has a - in its name; write it in double quotes: "{name}"'
        for name in config.table_names
        if "-" in name and re.search(rf'(?<!["\w-]){re.escape(name)}(?!["\w-])', training.query)
    ]
