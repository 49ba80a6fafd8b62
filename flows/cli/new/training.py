"""The section on training as it is proposed for a target: a query of what a model may learn from, a metric, and two candidates."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow.compute as pc

from flows.cli.new.draft import Drafted
from flows.cli.new.text import WIDTH, Text
from tasks.convert.proposal import ColumnProposal, is_id
from tasks.core.errors import ConfigError
from tasks.core.suggestions import did_you_mean
from tasks.core.tables import quote_name

_LEARNT = frozenset({"int", "float", "bool", "string", "date", "timestamp"})
_CLASSES = 2
_MOST_SHARE = 0.5  # of the rows: a text with more values is a name
_FEW_ROWS = 10
_CLASSIFIERS = {
    "logistic": "sklearn.linear_model.LogisticRegression",
    "boosting": "sklearn.ensemble.HistGradientBoostingClassifier",
}
_REGRESSORS = {"ridge": "sklearn.linear_model.Ridge", "boosting": "sklearn.ensemble.HistGradientBoostingRegressor"}


def write_training(target: str, tables: Sequence[Drafted]) -> Text:
    """Return the section on training.

    Raises:
        ConfigError: no table has the target.

    """
    table, column = _find(target, tables)
    text = Text()
    text.key("training")
    inner = text.inner()
    left_out = {each.name: why for each in table.columns if each is not column and (why := _why_left_out(each, table))}
    learnt = [each.name for each in table.columns if each is not column and each.name not in left_out]
    if not learnt:
        raise ConfigError(f"--target: {table.name} has no column beside {target} to learn from; leave --target out")
    if left_out:
        inner.note(f"Left out: {', '.join(f'{name} ({why})' for name, why in left_out.items())}.")
    inner.note(
        "Take out what is known only when the target is, as the date of a return: a model would learn little else."
    )
    _write_query(inner, [*learnt, column.name], table.name)
    inner.key("target", column.name)
    _write_task(inner, table, column)
    times = [name for name in learnt if table.type_of(_named(table, name)) in ("date", "timestamp")]
    if times:
        split = {"by": "time", "column": times[0], "test_fraction": 0.2, "folds": 4}
        inner.choice(
            "split", split, "learn from what was before, and be judged by what came after; without it rows are drawn"
        )
    text.below(inner)
    return text


def _write_query(text: Text, columns: Sequence[str], table: str) -> None:
    """Write the query of what may be learnt from, where the last of the columns, which is the target, is known."""
    names, lines = [quote_name(name) for name in columns], ["SELECT"]
    for name in names:
        ending = "" if name is names[-1] else ","
        if len(lines[-1]) + len(name) > WIDTH:
            lines.append(" ")
        lines[-1] += f" {name}{ending}"
    lines += [f"FROM {quote_name(table)}", f"WHERE {names[-1]} IS NOT NULL"]
    text.query(lines)


def _find(target: str, tables: Sequence[Drafted]) -> tuple[Drafted, ColumnProposal]:
    for table in sorted(tables, key=lambda each: not each.made):  # what is joined has what its parts have, and more
        for column in table.columns:
            if column.name == table.renames.get(target, target):
                return table, column
    known = [column.name for table in tables for column in table.columns]
    raise ConfigError(f"--target: {target} is no column of what --from has; {did_you_mean(target, known)}")


def _named(table: Drafted, name: str) -> ColumnProposal:
    return next(each for each in table.columns if each.name == name)


def _why_left_out(column: ColumnProposal, table: Drafted) -> str:
    if column.name in table.made:
        return ""
    kind = table.type_of(column)
    if kind not in _LEARNT:
        return "empty" if kind == "null" else kind
    if is_id(column.name):
        return "an id"
    if kind == "string" and column.example[:1] in ("[", "{"):
        return "a list"
    values = table.rows[column.name] if column.name in table.rows.column_names else None
    if kind == "string" and values is not None and len(values) >= _FEW_ROWS:
        distinct = pc.count_distinct(values).as_py()
        if distinct > len(values) * _MOST_SHARE:
            return "a text of its own in most rows"
    return ""


def _write_task(text: Text, table: Drafted, column: ColumnProposal) -> None:
    kind = table.type_of(column)
    values = table.rows[column.name].drop_null() if column.name in table.rows.column_names else None
    distinct = 0 if values is None else pc.count_distinct(values).as_py()
    is_binary = kind == "bool" or (kind in ("int", "string") and distinct == _CLASSES)
    is_classes = is_binary or kind == "string"
    text.key(
        "task",
        "classification" if is_classes else "regression",
        "" if kind in ("bool", "float", "string") else f"a guess, by {distinct} different values at the head",
    )
    if kind == "bool":
        text.key("positive", value=True)
    metric = "roc_auc" if is_binary else "accuracy" if is_classes else "neg_mean_absolute_error"
    text.key("metric", metric)
    text.key("candidates")
    inner = text.inner()
    for name, estimator in (_CLASSIFIERS if is_classes else _REGRESSORS).items():
        inner.key(name, {"estimator": estimator})
    text.below(inner)
