"""Wrong input ends in one clear sentence and exit code 2, before anything runs."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest

from tasks.config.pagination import PAGINATORS
from tests.flows.conftest import FLIGHTS, PROJECT, TOUR, Command


def change(tmp_path: Path, pipeline: Path, old: str, new: str) -> Path:
    """Return a copy of a pipeline file with one text replaced."""
    text = pipeline.read_text()
    assert old in text
    copy = tmp_path / "pipeline.yaml"
    copy.write_text(text.replace(old, new))
    (tmp_path / "training.sql").write_text((pipeline.parent / "training.sql").read_text())
    return copy


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("records_at", "record_at", "sources.weather.record_at: unknown key; did you mean records_at?"),
        (
            "kind: page,",
            "kind: pagenum,",
            f"sources.weather.pagination.kind: 'pagenum' is not one of {', '.join(PAGINATORS.kinds)}; "
            "did you mean page?",
        ),
        (
            "inbox/flights/*",
            "inbox/flight/*",
            "sources.flights.path: no file matches {data}/inbox/flight/*.csv.gz; put the files there, or correct path",
        ),
        (
            "HistGradientBoostingClassifier",
            "HistGradientBoostinClassifier",
            "training.candidates.boosting.estimator: 'sklearn.ensemble.HistGradientBoostinClassifier' is not an "
            "estimator; did you mean sklearn.ensemble.HistGradientBoostingClassifier?",
        ),
        (
            "max_iter: 300",
            "max_itr: 300",
            "training.candidates.logistic.params.max_itr: LogisticRegression has no parameter 'max_itr'; "
            "did you mean max_iter?",
        ),
        (
            "env: SAMPLE_TOKEN",
            "env: SAMPLE_TOKE",
            "sources.weather.auth.token.env: the environment variable SAMPLE_TOKE is not set; set it to the token",
        ),
        (
            "auth: {kind: bearer, token: {env: SAMPLE_TOKEN}}",
            "auth: {kind: oauth2, token_url: 'http://h/token', client_id: me, client_secret: {env: NO_SECRET}}",
            "sources.weather.auth.client_secret.env: the environment variable NO_SECRET is not set; "
            "set it to the client secret",
        ),
        (
            "rows: table#airlines tbody tr",
            "rows: table#airlines tbody tr\n    auth: {kind: api_key, name: X-Key, key: {env: EMPTY}}",
            "sources.airlines.auth.key.env: the environment variable EMPTY is empty; set it to the key",
        ),
        (
            "auth: {kind: bearer, token: {env: SAMPLE_TOKEN}}",
            "auth: {kind: jwt_bearer, token_url: 'http://h/token', issuer: me, key: {env: PATH}}",
            "sources.weather.auth.key.env: the environment variable PATH holds no private key in PEM; "
            "put one there, which begins with -----BEGIN PRIVATE KEY-----",
        ),
        (
            "rows: table#airlines tbody tr",
            "rows: table#airlines tbody tr\n    tls: {ca: /nowhere/ca.pem}",
            "sources.airlines.tls.ca: /nowhere/ca.pem cannot be read (No such file or directory); correct the path",
        ),
        (
            "table#airlines tbody tr",
            "table#airlines tbody[",
            "sources.airlines.rows: 'table#airlines tbody[' is not a CSS selector "
            "(Expected ident or '*', got <EOF at 21>); correct it",
        ),
    ],
)
def test_a_mistake_in_the_file_is_one_sentence(
    command: Command, tmp_path: Path, data: Path, old: str, new: str, sentence: str
) -> None:
    """The sentence names the file, the key, the value and the cure, and nothing is written."""
    path = change(tmp_path, FLIGHTS, old, new)
    before = sorted(data.rglob("*"))

    ended = command("run", path, "--data", data)

    assert (ended.code, ended.stdout) == (2, "")
    assert ended.stderr == f"error: {path}: {sentence.format(data=data)}\n"
    assert sorted(data.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--partitions", "mnth=3"], "no source has the partition 'mnth'; did you mean month?"),
        (
            ["--partitions", "month=3..13"],
            "month=3..13: '13' selects nothing; there are 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12",
        ),
        (
            ["--partitions", "month=3", "--partitions", "origin=XYZ"],
            "origin=XYZ: 'XYZ' selects nothing; there are EWR, JFK, LGA",
        ),
        (["--partitions", "month=3", "--partitions", "month=5"], "month is named twice; write month=value,value once"),
        (
            ["--partitions", "3..5"],
            "'3..5' is no condition; write name=value, e.g. month=3..5 origin=EWR,JFK, and %20 for a space in a value",
        ),
        (["--partitions", ""], "'' names none; write conditions like month=3..5 origin=EWR,JFK"),
        (
            ["--partitions", "month=3", "--only", "train"],
            "train learns from whole tables; leave --partitions or --only train out",
        ),
    ],
)
def test_a_slice_that_there_is_not_is_one_sentence(
    command: Command, data: Path, arguments: list[str], sentence: str
) -> None:
    """The sentence says what there is instead, and nothing is written."""
    before = sorted(data.rglob("*"))

    ended = command("run", FLIGHTS, "--data", data, *arguments)

    assert (ended.code, ended.stdout) == (2, "")
    assert ended.stderr == f"error: {FLIGHTS}: --partitions: {sentence}\n"
    assert sorted(data.rglob("*")) == before


def test_the_help_teaches_slices(command: Command) -> None:
    """`run --help` shows how a slice is named."""
    told = " ".join(command("run", "--help").stdout.split())

    assert "--partitions month=3..5 --partitions origin=EWR,JFK --fresh" in told


def test_the_plan_tells_how_a_source_is_asked(command: Command, tmp_path: Path) -> None:
    """Pagination, what is asked for anew and the age at which all is fetched again stand beside the address, in a few words."""
    path = tmp_path / "pipeline.yaml"
    path.write_text(
        "name: plan\n"
        "sources:\n"
        "  plain: {kind: api, url: http://h/plain}\n"
        "  links: {kind: api, url: http://h/l, pagination: {kind: link_header}, refresh: {after: 36h}}\n"
        "  news: {kind: api, url: http://h/n, pagination: {kind: cursor, cursor_at: next}, key: [id],\n"
        "         incremental: {field: at, param: since, start: 0}}\n"
        "  site: {kind: pages, start: http://h/s, rows: tr, columns: {a: 'td::text'}, refresh: {after: 7d}}\n"
    )

    ended = command("check", path, "--data", tmp_path)

    assert (ended.code, ended.stderr) == (0, "")
    plan = [" ".join(line.split()) for line in ended.stdout.splitlines() if line.startswith("ingest")]
    assert plan == [
        "ingest plain API: 1 partition of http://h/plain",
        "ingest links API: 1 partition of http://h/l, by link header, again after 36h",
        "ingest news API: 1 partition of http://h/n, by cursor, newer at only",
        "ingest site pages: 1 partition of http://h/s, again after 1w",
    ]


def test_a_missing_file_is_one_sentence(command: Command) -> None:
    """The sentence names the nearest pipeline file that exists."""
    ended = command("run", "deployments/flight/pipeline.yaml")

    assert (ended.code, ended.stdout) == (2, "")
    assert ended.stderr == (
        "error: deployments/flight/pipeline.yaml: there is no such pipeline file; "
        "did you mean deployments/flights/pipeline.yaml?\n"
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["dmo"], 'Did you mean "demo"?'),
        (["run", "x", "--onlly", "ingest"], "Did you mean --only?"),
        (["run"], "--pipeline"),
    ],
)
def test_a_wrong_command_is_told(command: Command, arguments: list[str], told: str) -> None:
    """An unknown command or option, or a missing one, ends with exit code 2."""
    ended = command(*arguments)

    assert ended.code == 2
    assert told in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr


def test_check_prints_the_plan(command: Command, data: Path) -> None:
    """A right file ends in its partitions, files and candidates, and nothing is written."""
    before = sorted(data.rglob("*"))

    ended = command("check", TOUR.relative_to(PROJECT), "--data", data)

    assert (ended.code, ended.stderr) == (0, "")
    for part in ("5 partitions of", "3 files of inbox/tour/data*.csv", "SVC(kernel=rbf, C=1.0, gamma=auto)", "dummy"):
        assert part in ended.stdout
    assert sorted(data.rglob("*")) == before


def test_a_table_whose_name_sql_would_subtract_is_told(command: Command, tmp_path: Path, data: Path) -> None:
    """A source's name with a - needs double quotes in the query, and none of them is an error."""
    path = change(tmp_path, TOUR, "  iris:", "  iris-data:")
    query = path.parent / "training.sql"
    query.write_text(query.read_text().replace("FROM iris", "FROM iris-data"))

    wrong = command("check", path, "--data", data)
    query.write_text(query.read_text().replace("FROM iris-data", 'FROM "iris-data"'))
    right = command("check", path, "--data", data)

    assert (wrong.code, right.code) == (2, 0)
    assert wrong.stderr == (
        f"error: {path}: training.query: the table iris-data has a - in its name; "
        'write it in double quotes: "iris-data"\n'
    )


def test_a_file_that_no_reader_knows_is_told_before_a_run(command: Command, tmp_path: Path) -> None:
    """A glob that takes in a file of another kind is told by check, as run would."""
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "notes.docx").write_text("to do")
    path = tmp_path / "pipeline.yaml"
    path.write_text("{name: notes, sources: {notes: {kind: files, path: inbox/*}}}")

    ended = command("check", path, "--data", tmp_path)

    assert (ended.code, ended.stdout) == (2, "")
    assert "sources.notes.path: inbox/notes.docx: .docx is not a format; known are .csv" in ended.stderr


def test_the_version_is_told(command: Command) -> None:
    """`--version` is the distribution's."""
    assert command("--version").stdout.strip() == version("tidemill")


def test_an_api_that_is_none_is_told(
    command: Command, data: Path, sample_site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An address that answers, but not as Prefect's API does, ends in one sentence."""
    monkeypatch.setenv("PREFECT_API_URL", sample_site)

    ended = command("run", TOUR, "--data", data)

    assert ended.code == 1
    assert ended.stderr == (f"error: {sample_site} answers, but is not a Prefect API; does the address end in /api?\n")
