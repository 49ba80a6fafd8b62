"""`check` tells all mistakes of a pipeline file in one go, each as it would tell it alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.cli.main import run_command
from tests.convert.conftest import files_source, make_table, write_files
from tests.thorough import ALL

RIGHT = """\
name: shop
description: Which orders come back.
sources:
  rows: {kind: files, path: inbox/rows.csv, key: [id], checks: [{not_null: [id]}]}
  extra: {kind: files, path: ["${ROWS_FOLDER:-inbox}/rows.csv"]}
  more: {kind: files, path: [inbox/rows.csv]}
  prices: {kind: api, url: "http://127.0.0.1/prices", params: {v: "1"}, auth: {kind: bearer, token: {env: PRICES_TOKEN}}}
  rates: {kind: api, url: "${RATES_SITE}/rates", requests: {attempts: 3}}
tables:
  totals: {query: "SELECT customer, sum(amount) AS total FROM rows GROUP BY customer"}
  days: {query: "SELECT day, count(*) AS n FROM rows GROUP BY day", key: [day], sort_by: [day], checks: [{unique: [day]}]}
  late: {query: "SELECT day FROM days WHERE n > 1"}
  plain: {query: SELECT 1 AS one}
  clean: {python: "prepare:cleaned", inputs: [rows]}
  other: {python: "prepare:other", inputs: [rows]}
  file: {query: file.sql, time_limit_s: 60}
training:
  query: SELECT id, amount, n FROM rows JOIN days USING (day)
  target: amount
  metric: r2
  candidates:
    first: {estimator: sklearn.linear_model.Ridge, params: {alpha: 1}}
    second: {estimator: sklearn.linear_model.LinearRegression}
    third: {estimator: sklearn.linear_model.Lasso, time_limit_s: 60}
"""
MISTAKES = {
    "description:": ("descripton:", "descripton: unknown key; did you mean description?"),
    "key: [id]": ("key: [iid]", "sources.rows.key: 'iid' is not a column of the table; did you mean id?"),
    "not_null: [id]": ("not_null: [ID]", "sources.rows.checks.0.not_null: 'ID' is not a column of the table; the"),
    "[inbox/rows.csv]": ("[inbox/none.csv, inbox/gone/*]", "sources.more.path: no file matches"),
    'v: "1"': ("v: 1.10", "sources.prices.params.v: 1.10 is a number to YAML, and would be sent as 1.1; write"),
    "env: PRICES_TOKEN": ("env: NO_TOKEN", "sources.prices.auth.token.env: the environment variable NO_TOKEN is not"),
    "${ROWS_FOLDER:-inbox}": ("${NO_FOLDER}", "sources.extra.path.0: '${NO_FOLDER}/rows.csv' needs the environment"),
    "${RATES_SITE}": ("${NO_SITE}", "sources.rates.url: '${NO_SITE}/rates' needs the environment variable NO_SITE"),
    "attempts: 3": ("attempts: many", "sources.rates.requests.attempts: 'many': input should be a valid integer"),
    "sum(amount)": ("sum(amont)", 'tables.totals.query: Binder Error: Referenced column "amont" not found'),
    "key: [day]": ("key: [dai]", "tables.days.key: 'dai' is not a column of the table; did you mean day?"),
    "sort_by: [day]": (
        "sort_by: [n, dey]",
        "tables.days.sort_by: 'dey' is not a column of the table; did you mean day",
    ),
    "unique: [day]": ("unique: [dy]", "tables.days.checks.0.unique: 'dy' is not a column of the table; did you mean"),
    "n > 1": ("number > 1", 'tables.late.query: Binder Error: Referenced column "number" not found'),
    "SELECT 1 AS one": ("SELEC 1 AS one", "tables.plain.query: Parser Error: syntax error at or near"),
    "prepare:cleaned": (
        "prepare:clean",
        "tables.clean.python: {folder}/prepare.py:clean: has no function 'clean'; did",
    ),
    'prepare:other", inputs: [rows]': (
        'prepare:other", inputs: [days]',
        "tables.other.python: {folder}/prepare.py:other: takes rows, and is given days; name its arguments as its inputs",
    ),
    "query: file.sql": ("query: fil.sql", "tables.file.query: there is no file {folder}/fil.sql; put the SQL there"),
    "target: amount": ("target: amont", "training.target: 'amont' is not a column of the query's result (id, amount, "),
    "metric: r2": ("metric: max_eror", "training.metric: 'max_eror' is not a metric; did you mean neg_max_error?"),
    "alpha: 1": (
        "alpah: 1",
        "training.candidates.first.params.alpah: Ridge has no parameter 'alpah'; did you mean alpha?",
    ),
    "LinearRegression": (
        "LinearRegresion",
        "training.candidates.second.estimator: 'sklearn.linear_model.LinearRegresion'",
    ),
    "Lasso, time_limit_s: 60": ("Lasso, time_limit_s: 0", "training.candidates.third.time_limit_s: 0: input should be"),
}
"""By what is right what is wrong, and how its sentence begins."""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a data folder with the table `rows`, and beside it what the pipeline file names."""
    write_files(tmp_path, rows_csv="id,customer,amount,day\n" + "".join(f"{n},c,{n}.5,2024-01-01\n" for n in range(40)))
    make_table(tmp_path, files_source("inbox/rows.csv"))
    (tmp_path / "prepare.py").write_text("def cleaned(rows):\n    return rows\n\n\ndef other(rows):\n    return rows\n")
    (tmp_path / "file.sql").write_text("SELECT id FROM rows")
    monkeypatch.setenv("PRICES_TOKEN", "x")
    monkeypatch.setenv("RATES_SITE", "http://127.0.0.1")
    return tmp_path


def check(shop: Path, capfd: pytest.CaptureFixture[str], text: str) -> list[str]:
    """Return what `check` says is wrong with a pipeline file of this text."""
    path = shop / "pipeline.yaml"
    path.write_text(text)
    code = run_command(["check", str(path), "--data", str(shop)])
    told = capfd.readouterr().err.splitlines()
    assert code == (2 if told else 0)
    assert all(line.startswith(f"error: {path}: ") for line in told)
    return [line.removeprefix(f"error: {path}: ") for line in told]


def test_a_right_file_has_no_mistake(shop: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What the others make wrong is right in it."""
    assert check(shop, capfd, RIGHT) == []


def test_all_mistakes_are_told_together(shop: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Each once, as one line with its place: those of the file, of its SQL and Python, of columns and of models."""
    text = RIGHT
    for right, (wrong, _) in MISTAKES.items():
        assert text.count(right) == 1, right
        text = text.replace(right, wrong)

    told = check(shop, capfd, text)

    begun = [
        sentence.format_map({"folder": shop}) if "{folder}" in sentence else sentence
        for _, sentence in MISTAKES.values()
    ]
    begun.append("sources.more.path: no file matches")  # of each path
    assert sorted(line[: len(start)] for line in told for start in [_start(line, begun)]) == sorted(begun)
    assert len(set(told)) == len(told)


def test_each_is_told_alone_as_in_company(shop: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """No mistake hides another, or makes one of what is right."""
    together = RIGHT
    alone: list[str] = []
    for right, (wrong, _) in list(MISTAKES.items())[:: 1 if ALL else 8]:
        together = together.replace(right, wrong)
        alone += check(shop, capfd, RIGHT.replace(right, wrong))

    assert sorted(check(shop, capfd, together)) == sorted(alone)


def test_of_columns_that_a_run_will_name_otherwise_nothing_is_known(
    shop: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A query of a name that is declared since is right; one of a name that there was is left to the run."""
    renamed = RIGHT.replace("key: [id]", "columns: {amount: {rename: price}}, key: [id]")
    renamed = renamed.replace("sum(amount)", "sum(price)").replace(
        "SELECT id, amount, n", "SELECT id, price AS amount, n"
    )

    assert check(shop, capfd, renamed) == []


def _start(line: str, begun: list[str]) -> str:
    """Return the beginning that a line has; all of it where it has none."""
    return next((start for start in begun if line.startswith(start)), line)
