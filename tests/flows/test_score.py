"""The command `score`: a real process that answers by the champion over HTTP."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest
from jsonschema import Draft202012Validator
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from tasks.train.registry import list_versions, promote
from tests.train.conftest import LOGISTIC
from tests.train.predicting import predict_file
from tests.train.publishing import judge
from tests.train.test_predict import TREE, new_rows

ROWS = 120
MOST_REQUESTS, MOST_ROWS, MOST_BYTES = 6, 200, 2**20
FEATURES = ("number", "whole", "truth", "word", "moment")
_WAIT_S = 60.0


@dataclass(frozen=True)
class Served:
    """A data folder with two versions of which the first serves, and the process that answers for it."""

    data: Path
    process: subprocess.Popen[str]
    url: str

    @property
    def models(self) -> Path:
        """Return the folder of models."""
        return self.data / "models" / "toy"

    def get(self, path: str) -> Any:
        """Return what an address answers."""
        return httpx.get(f"{self.url}{path}", timeout=_WAIT_S).raise_for_status().json()

    def post(self, content: object) -> httpx.Response:
        """Return the answer to rows, or to a body of bytes."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        return httpx.post(f"{self.url}/predict", content=body, timeout=_WAIT_S)

    def said(self, pattern: str) -> str:
        """Return the next line that the process prints, which is to be of a pattern."""
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert re.fullmatch(pattern, line.rstrip("\n")), line
        return line


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Yield the endpoint of a logistic regression; a tree that was made after it may take over."""
    data = tmp_path_factory.mktemp("score")
    judge(data, new_rows(ROWS), LOGISTIC, query="SELECT * FROM rows").decide()
    judge(data, new_rows(ROWS), TREE, query="SELECT * FROM rows").publish()
    limits = ("--max-requests", str(MOST_REQUESTS), "--max-rows", str(MOST_ROWS), "--max-body-mb", "1")
    command = [sys.executable, "-m", "flows", "score", "toy", "--data", str(data), "--port", "0", *limits]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout
            line = process.stdout.readline()
            match = re.fullmatch(r"toy predicts y by v0001-\w+ \(only\) at (http://127\.0\.0\.1:\d+)\n", line)
            assert match, line
            yield Served(data, process, match[1])
        finally:
            process.kill()


def asked(rows: dict[str, Any]) -> list[dict[str, Any]]:
    """Return columns as rows of JSON, without the target."""
    columns = [
        [str(value) if name == "moment" else getattr(value, "item", lambda v=value: v)() for value in rows[name]]
        for name in FEATURES
    ]
    return [dict(zip(FEATURES, row, strict=True)) for row in zip(*columns, strict=True)]


async def ask_in_parts(url: str, rows: list[dict[str, Any]], sizes: tuple[int, ...]) -> list[Any]:
    """Return what is said of each row, asked in requests of some sizes, several of them at once."""
    parts, start = list[list[dict[str, Any]]](), 0
    while start < len(rows):
        size = sizes[len(parts) % len(sizes)]
        parts.append(rows[start : start + size])
        start += size
    async with httpx.AsyncClient(base_url=url, timeout=_WAIT_S, limits=httpx.Limits(max_connections=4)) as client:
        answers = await asyncio.gather(*(client.post("/predict", json=part) for part in parts))
    return [row for answer in answers for row in answer.raise_for_status().json()["predictions"]]


def test_the_answers_are_those_of_predict_to_the_last_bit(served: Served, tmp_path: Path) -> None:
    """Whatever rows are asked together; and their drift is the same."""
    rows = asked(new_rows(ROWS))
    predicted = predict_file(served.data, "rows", tmp_path / "out.parquet")

    said = asyncio.run(ask_in_parts(served.url, rows, (1, 3, 16, 1, 7)))

    made = pq.read_table(predicted.path)
    names = [name for name in made.column_names if name not in (*FEATURES, "y", "model_version")]
    assert names == ["prediction", "probability_no", "probability_yes"]
    assert said == made.select(names).to_pylist()
    drift = served.get("/drift")
    assert (drift["rows"], drift["model_version"]) == (ROWS, made["model_version"][0].as_py())
    assert [(each["feature"], each["psi"]) for each in drift["features"]] == [
        (each.feature, each.psi) for each in predicted.drift
    ]


def test_the_document_describes_what_is_taken_and_answered(served: Served) -> None:
    """The rows that it allows are predicted, and those that it does not are refused."""
    document = served.get("/openapi.json")
    schemas = document["components"]["schemas"]
    row, prediction = (Draft202012Validator(schemas[name]) for name in ("Row", "Prediction"))
    right = asked(new_rows(3))

    answer = served.post(right)

    assert all(row.is_valid(each) for each in right)
    assert all(prediction.is_valid(each) for each in answer.json()["predictions"])
    for wrong in (right[0] | {"more": 1}, {"number": 1.0}, right[0] | {"whole": "2"}, right[0] | {"truth": 1}):
        assert not row.is_valid(wrong)
        assert served.post([wrong]).status_code == 422
    assert document["info"]["version"] == answer.json()["model_version"]


def test_rows_that_do_not_fit_are_named(served: Served) -> None:
    """Row, column and cure; a page whose name leads to this machine is told nothing."""
    right = asked(new_rows(2))
    wrong = right[0] | {"whole": "2", "moment": 5}
    late = right[0] | {"moment": "soon"}
    typo = {("numbr" if name == "number" else name): value for name, value in right[0].items()}

    for rows, said in (
        ([right[0], wrong], ['row 2: column \'whole\' is a text ("2"), and was a number in training; send a number, or null',
                             "row 2: column 'moment' is a number (5), and was a time in training; send a text such as \"2013-01-31T05:00:00Z\", or null"]),
        ([late], ['row 1: column \'moment\' is no time ("soon"); send a text such as "2013-01-31T05:00:00Z", or null']),
        ([typo], ["row 1: has no column 'number', which is a number in training; did you mean numbr?",
                  "row 1: column 'numbr' is none that the model learnt from; leave it out"]),
        ([right[0], 7], ["row 2: is a number (7); send an object of columns"]),
        (right[0], ["the body is an object, not a list of rows; send [{...}], also for one row"]),
    ):  # fmt: skip
        answer = served.post(rows)
        assert (answer.status_code, answer.json()) == (422, {"errors": said})
    assert httpx.get(f"{served.url}/health", headers={"Host": "example.com"}).status_code == 400
    assert "the body is not JSON" in served.post(b"[{").json()["errors"][0]
    assert served.post([]).json()["predictions"] == []


def test_limits_are_told(served: Served) -> None:
    """A large body, also one of which no size was told, many rows, and many requests at once."""
    large = b" " * (MOST_BYTES + 1)
    pieces = httpx.post(f"{served.url}/predict", content=iter([large[:5], large]), timeout=_WAIT_S)

    assert [served.post(large).status_code, pieces.status_code] == [413, 413]
    assert "more than 1,048,576 bytes" in pieces.json()["errors"][0]
    assert served.post([{}] * (MOST_ROWS + 1)).json()["errors"][0].startswith("the body has 201 rows, and may have 200")
    host, port = served.url.removeprefix("http://").split(":")
    begun = f"POST /predict HTTP/1.1\r\nHost: {host}\r\nContent-Length: 100\r\n\r\n[".encode()
    with ExitStack() as slow:
        for _ in range(MOST_REQUESTS):
            slow.enter_context(socket.create_connection((host, int(port)))).sendall(begun)
        for attempt in Retrying(
            stop=stop_after_delay(_WAIT_S), wait=wait_fixed(0.05), retry=retry_if_exception_type(AssertionError)
        ):
            with attempt:
                refused = served.post([])
                assert refused.status_code == 503
        assert refused.headers["Retry-After"] == "1"
        assert "6 requests are under way" in refused.json()["errors"][0]
        assert served.get("/health")["status"] == "ok"
    wait_for(lambda: served.post([]).status_code == 200)


def wait_for(done: Any) -> None:
    """Wait until something is so."""
    for attempt in Retrying(
        stop=stop_after_delay(_WAIT_S), wait=wait_fixed(0.05), retry=retry_if_exception_type(AssertionError)
    ):
        with attempt:
            assert done()


def test_another_champion_takes_over_while_requests_are_answered(served: Served) -> None:
    """None of them fails; one that is damaged is told, and the one before answers on."""
    first, second = list_versions(served.models)
    rows = asked(new_rows(3))
    promote(served.models, second.name)
    versions = []
    while second.name not in versions:
        answer = served.post(rows)
        assert answer.status_code == 200
        versions.append(answer.json()["model_version"])
    served.said(rf"{second.name} \(only\) serves in place of {first.name}")
    assert versions == sorted(versions)
    assert served.get("/drift")["rows"] == len(rows)

    kept = (served.models / "champion.json").read_bytes()
    (served.models / "champion.json").write_text("{")
    wait_for(lambda: served.get("/health")["status"] == "warning")
    served.said(rf"warning: .*champion\.json: is damaged .*; {second.name} serves on")
    assert served.post(rows).json()["model_version"] == second.name

    (served.models / "champion.json").write_bytes(kept.replace(second.name.encode(), first.name.encode()))
    model = served.models / first.name / "model.skops"
    shutil.copy(model, served.data / "whole.skops")
    model.write_bytes(model.read_bytes()[:500])
    served.said(rf"warning: .*{first.name}/model\.skops: is not a model file .*; {second.name} serves on")
    shutil.copy(served.data / "whole.skops", model)
    wait_for(lambda: served.get("/health")["model_version"] == first.name)
    assert served.get("/health")["warning"] is None


def test_it_ends_at_sigterm(served: Served) -> None:
    """A request under way is answered first; nothing is left, and the exit code is 0."""
    host, port = served.url.removeprefix("http://").split(":")
    body = json.dumps(asked(new_rows(1))).encode()
    with socket.create_connection((host, int(port))) as slow:
        slow.sendall(f"POST /predict HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n\r\n".encode())
        slow.sendall(body[:10])
        wait_for(lambda: served.get("/health"))
        served.process.send_signal(signal.SIGTERM)
        slow.sendall(body[10:])
        assert slow.recv(20).startswith(b"HTTP/1.1 200")

    assert served.process.wait(_WAIT_S) == 0


def test_what_cannot_be_served_ends_with_2(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """No model, and a port that is taken: one sentence with the cure."""
    from flows.cli.main import run_command  # noqa: PLC0415 - the signal of the process is set by the command

    known = signal.getsignal(signal.SIGTERM)
    try:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            (tmp_path / "models" / "toy").mkdir(parents=True)
            port = str(taken.getsockname()[1])
            codes = [run_command(["score", "toy", "--data", str(tmp_path), "--port", given]) for given in (port, "0")]
    finally:
        signal.signal(signal.SIGTERM, known)

    assert codes == [2, 2]
    told = capfd.readouterr().err.splitlines()
    cure = "choose others, 0 is any free port"
    assert told[0] == f"error: --host 127.0.0.1 --port {port}: cannot listen there (Address already in use); {cure}"
    assert told[1] == "error: no version of toy serves yet; run its pipeline first"
