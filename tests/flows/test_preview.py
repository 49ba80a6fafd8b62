"""`preview` shows the head of each source as its table would have it, and writes nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.flows.conftest import FLIGHTS, Command, Tidemill, call_command
from tests.site.server import Sites

ROWS = 40_000


def listed(folder: Path) -> dict[str, tuple[int, int]]:
    """Return every file and folder below one, with its size and when it changed."""
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*")}


@pytest.fixture
def alone(tidemill: Tidemill, tmp_path: Path) -> Tidemill:
    """Return the command line with a home and a folder for temporary files of its own, which are empty."""
    places = {"HOME": "home", "PREFECT_HOME": "home/prefect", "TMPDIR": "temporary"}
    for name in ("home", "temporary"):
        (tmp_path / name).mkdir()
    return replace(tidemill, environment=tidemill.environment | {k: str(tmp_path / v) for k, v in places.items()})


def write(folder: Path, source: str) -> Path:
    """Write a pipeline of one source, called orders."""
    path = folder / "pipeline.yaml"
    path.write_text(f"name: shop\nsources:\n  orders:\n{source}")
    return path


def test_the_demo_is_seen_before_it_runs(alone: Tidemill, data: Path, tmp_path: Path) -> None:
    """Files show rows, API and pages the requests to come; nothing is written, to the data folder or beside it."""
    before = listed(data)

    ended = alone("preview", FLIGHTS, "--data", data)

    assert ended.returncode == 0, ended.stderr
    assert "weather: API, 36 partitions, 36 of them not landed" in ended.stdout
    assert "/api/weather?per_page=200&origin=EWR&month=1\n" in ended.stdout
    assert "nothing of it is landed; --ask makes its first request" in ended.stdout
    assert "flights: 12 files, " in ended.stdout
    assert "read as csv, utf-8, delimiter ',', quote '\"', decimal '.', header True" in ended.stdout
    assert "  dep_time        int            517 " in ended.stdout
    assert listed(data) == before
    assert not listed(tmp_path / "home")
    assert not listed(tmp_path / "temporary")


def test_one_request_shows_the_rows_of_an_api(alone: Tidemill, data: Path) -> None:
    """With --ask the first page of a source is shown, its declared types in it, and landed nowhere."""
    before = listed(data)

    ended = alone("preview", FLIGHTS, "weather", "--ask", "--rows", 1, "--data", data)

    assert ended.returncode == 0, ended.stderr
    assert "all of first answer.jsonl: 200 rows, 0 rejects" in ended.stdout
    assert "  wind_gust   float          null\n" in ended.stdout
    assert "flights" not in ended.stdout
    assert listed(data) == before


def test_what_would_be_a_reject_is_told_with_its_reason(command: Command, tmp_path: Path) -> None:
    """Only the head of a long file is read, as what is declared says."""
    lines = ["id;paid", "1;2024-01-01", "2;soon", *(f"{i};2024-01-01" for i in range(3, ROWS))]
    (tmp_path / "orders.csv").write_text("\n".join(lines))
    path = write(tmp_path, f"    {{kind: files, path: {tmp_path}/orders.csv, columns: {{paid: date}}}}\n")

    ended = command("preview", path, "--data", tmp_path / "none")

    assert ended.code == 0, ended.stderr
    assert "the head of " in ended.stdout
    assert "delimiter ';'" in ended.stdout
    assert "  id      int   1           3           4\n" in ended.stdout
    assert "reject: line 3: " in ended.stdout
    assert ": 2;soon\n" in ended.stdout
    assert not (tmp_path / "none").exists()


def test_a_document_of_json_is_shown_as_a_whole(command: Command, tmp_path: Path) -> None:
    """Of a small file all rows are counted."""
    (tmp_path / "orders.json").write_text(json.dumps([{"id": i, "name": f"n{i}"} for i in range(5)]))
    path = write(tmp_path, f"    {{kind: files, path: {tmp_path}/orders.json}}\n")

    ended = command("preview", path, "--data", tmp_path / "none")

    assert f"all of {tmp_path}/orders.json: 5 rows, 0 rejects" in ended.stdout
    assert "  name    string  n0     n1     n2\n" in ended.stdout


def test_secrets_of_addresses_are_not_shown(command: Command, tmp_path: Path) -> None:
    """What proves who asks stays out of the addresses that are shown."""
    source = "    {kind: api, url: 'http://127.0.0.1:9/x?token=s3cretvalue', partitions: {day: {range: [1, 9]}}}\n"

    ended = command("preview", write(tmp_path, source), "--data", tmp_path / "none")

    assert "s3cretvalue" not in ended.stdout + ended.stderr
    assert "GET http://127.0.0.1:9/x?token=***&day=1\n" in ended.stdout
    assert "… and the first pages of 6 partitions more" in ended.stdout


def test_a_source_that_cannot_be_shown_hides_no_other(command: Command, tmp_path: Path) -> None:
    """Each has its own sentence; the exit code says that one failed, and a name that is none is refused."""
    (tmp_path / "good.csv").write_text("id\n7\n")
    path = write(
        tmp_path, f"    {{kind: files, path: {tmp_path}/no.csv}}\n  good: {{kind: files, path: {tmp_path}/good.csv}}\n"
    )

    ended, misnamed = command("preview", path, "--data", tmp_path), command("preview", path, "goood")

    assert ended.code == 1
    assert f"error: no file matches {tmp_path}/no.csv; put the files there, or correct path" in ended.stdout
    assert "  id      int   7\n" in ended.stdout
    assert misnamed.code == 2
    assert misnamed.stderr == "error: goood: is no table of shop; did you mean good?\n"


def test_the_rows_of_details_are_those_that_links_lead_to(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The first list is asked for, and the first page that it leads to, though another list is next; an expression reads its columns."""
    with Sites().serving() as sites:
        site = sites.add()
        source = f"    {{kind: pages, start: {site.url}/list-1, follow: 'a[rel=next]::attr(href)', links: 'a:not([rel])::attr(href)', rows: li,"
        path = write(tmp_path, f"{source} columns: {{name: 'b::text', long: {{expression: \"name || '!'\"}}}}}}\n")

        ended = call_command(capsys.readouterr, "preview", path, "--ask", "--data", tmp_path / "none")

    assert ended.code == 0, ended.stdout + ended.stderr
    assert site.paths == ["/list-1", "/item/1"]
    assert "the first of the pages that links lead to:\n  all of first answer.jsonl: 1 row, 0 rejects" in ended.stdout
    assert "  name    string  item 1\n  long    string  item 1!\n" in ended.stdout
    assert "warning" not in ended.stdout


def test_several_tables_of_one_answer_are_each_shown(command: Command, tmp_path: Path) -> None:
    """The elements of a list in an API's records are rows of their own, of one request."""
    asked: list[str] = []
    orders = [{"id": n, "items": [{"sku": f"s{n}"}, {"sku": "x"}]} for n in range(3)]

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = json.dumps(orders).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as site:
        Thread(target=site.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{site.server_port}/orders"
        tables = "{order_items: {explode: items, take: {order_id: id}}}"
        path = write(tmp_path, f"    {{kind: api, url: '{url}', tables: {tables}}}\n")

        ended = command("preview", path, "--ask", "--data", tmp_path / "none")
        site.shutdown()

    assert ended.code == 0, ended.stdout + ended.stderr
    assert asked == ["/orders"]
    assert "order_items: items of orders, API, 1 partition" in ended.stdout
    assert "all of first answer.jsonl: 6 rows, 0 rejects" in ended.stdout
    assert "  order_id  int     0      0      1\n" in ended.stdout
