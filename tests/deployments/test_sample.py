"""The sample site and inbox, served by a real server and written to real files."""

from __future__ import annotations

import csv
import gzip
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import product
from pathlib import Path

import httpx
import pytest
from parsel import Selector
from sklearn.datasets import load_iris

from deployments.sample.data import read_flight_lines
from deployments.sample.faults import Faults
from deployments.sample.inbox import write_inbox
from deployments.sample.server import listen
from deployments.sample.site import sample_site
from tasks.config import load_pipeline
from tasks.core.storage import hash_file
from tests.hosting import hosting

TOKEN = "sesame"  # noqa: S105 - a test's token
AUTHORIZATION = {"Authorization": f"Bearer {TOKEN}"}
CALM = Faults(failing_share=0, latency_s=(0, 0), max_in_flight=1000)
FAILING_URLS = [f"/blog/{n}" for n in range(1, 5)] + [f"/airports?page={n}" for n in range(1, 16)]


@contextmanager
def serve(faults: Faults) -> Iterator[httpx.Client]:
    """Serve the sample site with these faults and yield a client of it."""
    listener = listen(0)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with hosting(sample_site(TOKEN, faults), listener), httpx.Client(base_url=address) as client:
        yield client


@pytest.fixture(scope="module")
def site() -> Iterator[httpx.Client]:
    """Yield a client of a site without faults."""
    with serve(CALM) as client:
        yield client


@pytest.fixture(scope="module")
def inbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an inbox as it is written the first time."""
    folder = tmp_path_factory.mktemp("data") / "inbox"
    write_inbox(folder)
    return folder


def follow(site: httpx.Client, url: str | None, rows: str) -> list[Selector]:
    """Return the elements that are rows, from `url` through all the pages that follow it."""
    found: list[Selector] = []
    while url:
        page = Selector(site.get(url).raise_for_status().text)
        found.extend(page.css(rows))
        url = page.css("a[rel=next]::attr(href)").get()
    return found


def statuses(faults: Faults) -> list[tuple[int, int]]:
    """Return what the first and the second attempt at each of FAILING_URLS are answered."""
    with serve(faults) as client:
        return [(client.get(url).status_code, client.get(url).status_code) for url in FAILING_URLS]


def test_the_weather_of_all_origins_and_months_is_complete(site: httpx.Client) -> None:
    """All pages of all partitions together hold every hour of the package once."""
    hours: list[tuple[str, str]] = []
    for origin, month in product(("EWR", "JFK", "LGA"), range(1, 13)):
        page, pages = 1, 1
        while page <= pages:
            params: dict[str, str | int] = {"origin": origin, "month": month, "page": page, "per_page": 500}
            body = site.get("/api/weather", params=params, headers=AUTHORIZATION).raise_for_status().json()
            hours += [(item["origin"], item["time_hour"]) for item in body["items"]]
            page, pages = page + 1, body["pages"]

    assert (len(hours), len(set(hours))) == (26_115, 26_115)


def test_a_page_of_weather_is_typed_and_says_how_many_there_are(site: httpx.Client) -> None:
    """A page of the API holds numbers as numbers and missing values as null, and counts pages and rows."""
    url = "/api/weather?origin=EWR&month=1&page=4&per_page=200"

    body = site.get(url, headers=AUTHORIZATION).json()

    assert {key: body[key] for key in ("page", "pages", "total")} == {"page": 4, "pages": 4, "total": 742}
    assert len(body["items"]) == 142
    assert body["items"][0] == {
        "origin": "EWR",
        "year": 2013,
        "month": 1,
        "day": 26,
        "hour": 2,
        "temp": 14.0,
        "dewp": 10.94,
        "humid": 87.36,
        "wind_dir": 280.0,
        "wind_speed": 3.4523399999999995,
        "wind_gust": None,
        "precip": 0.0,
        "pressure": 1018.0,
        "visib": 10.0,
        "time_hour": "2013-01-26T07:00:00Z",
    }


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}])
def test_the_weather_needs_the_token(site: httpx.Client, headers: dict[str, str]) -> None:
    """Without the right token the API answers 401 and says what it needs."""
    answer = site.get("/api/weather?origin=EWR&month=1", headers=headers)

    assert (answer.status_code, answer.json()) == (
        401,
        {"detail": "this needs the header Authorization: Bearer <token>, with the token the site printed"},
    )


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("month=1", "origin is ''; give one of EWR, JFK, LGA"),
        ("origin=XYZ&month=1", "origin is 'XYZ'; give one of EWR, JFK, LGA"),
        ("origin=EWR", "month is ''; give a whole number from 1 to 12"),
        ("origin=EWR&month=13", "month is '13'; give a whole number from 1 to 12"),
        ("origin=EWR&month=1&page=0", "page is '0'; give a whole number from 1"),
        ("origin=EWR&month=1&per_page=many", "per_page is 'many'; give a whole number from 1 to 500"),
    ],
)
def test_a_wrong_parameter_is_named(site: httpx.Client, query: str, detail: str) -> None:
    """A parameter the API does not take is answered 422, with its value and the cure."""
    answer = site.get(f"/api/weather?{query}", headers=AUTHORIZATION)

    assert (answer.status_code, answer.json()) == (422, {"detail": detail})


@pytest.mark.parametrize(("table", "columns", "rows"), [("airports", 8, 1_458), ("airlines", 2, 16)])
def test_a_table_is_complete_over_its_pages(site: httpx.Client, table: str, columns: int, rows: int) -> None:
    """Following the next links gives every row of the package once, with all its cells."""
    found = follow(site, f"/{table}", f"table#{table} tbody tr")

    cells = [tuple(row.css("td").xpath("string()").getall()) for row in found]
    assert (len(cells), len({row[0] for row in cells}), {len(row) for row in cells}) == (rows, rows, {columns})


def test_a_page_that_is_not_there_is_404(site: httpx.Client) -> None:
    """Pages past the last, users past the last and unknown paths are answered 404."""
    urls = ["/airports?page=16", "/airports?page=x", "/blog/0", "/blog/5", "/api/users/0", "/api/users/11", "/nothing"]

    assert {site.get(url).status_code for url in urls} == {404}


def test_the_blog_has_eighteen_articles(site: httpx.Client) -> None:
    """The blog's pages together hold eighteen titles, with & and letters beyond ASCII among them."""
    titles = [row.css("::text").get("") for row in follow(site, "/blog/1", "h2.post-title")]

    assert (len(titles), len(set(titles))) == (18, 18)
    assert {"Dates & time zones", "Café data, kitchen data"} < set(titles)


def test_the_users_are_nested_records(site: httpx.Client) -> None:
    """The users 1 to 10 are JSON objects with an address and a company inside."""
    users = [site.get(f"/api/users/{number}").raise_for_status().json() for number in range(1, 11)]

    assert [user["id"] for user in users] == list(range(1, 11))
    assert users[0] == {
        "id": 1,
        "name": "Ada Quill",
        "username": "ada.quill",
        "email": "ada.quill@example.com",
        "address": {
            "street": "4 Sluice Lane",
            "city": "Westmere",
            "zipcode": "10317",
            "geo": {"lat": "51.4820", "lng": "-2.1147"},
        },
        "company": {"name": "Quill and Daughters"},
    }


def test_robots_are_welcome(site: httpx.Client) -> None:
    """The site's robots.txt allows everything."""
    assert site.get("/robots.txt").text == "User-agent: *\nAllow: /\n"


def test_the_seed_decides_which_urls_fail_first() -> None:
    """The same seed fails the same URLs, on their first attempt only; another seed fails others."""
    first = statuses(Faults(seed=1, failing_share=0.3, latency_s=(0, 0)))
    again = statuses(Faults(seed=1, failing_share=0.3, latency_s=(0, 0)))
    other = statuses(Faults(seed=2, failing_share=0.3, latency_s=(0, 0)))

    assert first == again
    assert first != other
    assert set(first) == set(other) == {(200, 200), (503, 200)}


def test_faults_keep_to_their_share_and_latency() -> None:
    """Some four in a hundred URLs fail, and each waits 20 to 50 ms."""
    urls = [f"/blog/{number}" for number in range(10_000)]

    failing = sum(map(Faults().fails_first, urls))
    latencies_s = [Faults().latency_of(url) for url in urls]

    assert 300 < failing < 500
    assert (round(min(latencies_s), 3), round(max(latencies_s), 3)) == (0.020, 0.050)


def test_more_requests_than_the_limit_are_sent_away() -> None:
    """One request more than may be in flight is answered 429 and when to come again; /health always answers."""
    slow = Faults(failing_share=0, latency_s=(0.25, 0.25), max_in_flight=3)
    with serve(slow) as client, ThreadPoolExecutor(5) as threads:
        answers = list(threads.map(client.get, ["/blog/1", "/blog/2", "/blog/3", "/blog/4"]))
        later = client.get("/blog/1")
        busy = [threads.submit(client.get, "/blog/1") for _ in range(3)]
        health = client.get("/health")
        done = [request.result().status_code for request in busy]

    assert Counter((a.status_code, a.headers.get("Retry-After")) for a in answers) == {(200, None): 3, (429, "1"): 1}
    assert later.status_code == 200
    assert health.json() == {"ok": True}
    assert done == [200, 200, 200]


def test_the_inbox_has_the_same_bytes_every_time(inbox: Path, tmp_path: Path) -> None:
    """Written again elsewhere, the inbox has the same fifteen files, byte for byte."""
    write_inbox(tmp_path)

    first = {str(path.relative_to(inbox)): hash_file(path) for path in inbox.rglob("*.*")}
    second = {str(path.relative_to(tmp_path)): hash_file(path) for path in tmp_path.rglob("*.*")}
    assert (first, len(first)) == (second, 15)


def test_only_missing_files_are_written(tmp_path: Path, inbox: Path) -> None:
    """A file that is there stays as it is; one that is missing is written."""
    for path in (inbox / "flights").iterdir():
        kept = tmp_path / "flights" / path.name
        kept.parent.mkdir(exist_ok=True)
        kept.write_bytes(b"kept")
    missing = tmp_path / "flights" / "flights-2013-03.csv.gz"
    missing.unlink()

    write_inbox(tmp_path)

    written = [path.name for path in (tmp_path / "flights").iterdir() if path.read_bytes() != b"kept"]
    assert written == [missing.name]
    assert hash_file(missing) == hash_file(inbox / "flights" / missing.name)


def test_the_flights_are_all_there_and_seven_lines_are_damaged(inbox: Path) -> None:
    """Every line of the package is in the file of its month, and beside them seven damaged ones in March."""
    header, lines = read_flight_lines()
    found: Counter[bytes] = Counter()
    for month in range(1, 13):
        with gzip.open(inbox / "flights" / f"flights-2013-{month:02}.csv.gz") as file:
            assert next(file) == header
            of_month = list(file)
        assert {line.split(b",", 2)[1] for line in of_month} == {str(month).encode()}
        found.update(of_month)

    damaged = list(found - Counter(lines))
    assert (len(lines), found.total()) == (336_776, 336_783)
    assert [len(line.split(b",")) for line in damaged] == [11, 19, 20, 19, 18, 19, 19]
    assert [wrong_columns(header, line) for line in damaged if line.count(b",") == 18] == [
        ["dep_delay"],
        ["distance"],
        ["time_hour"],
        ["sched_dep_time"],
    ]


def wrong_columns(header: bytes, line: bytes) -> list[str]:
    """Return the columns that the pipeline declares and whose value is not of the declared type."""
    flights = load_pipeline(Path("deployments/flights/pipeline.yaml")).sources["flights"]
    names, texts = (text.decode().strip().split(",") for text in (header, line))
    values = dict(zip(names, texts, strict=True))
    return [name for name, column in flights.columns.items() if not fits(values[name], str(column.type))]


def fits(text: str, kind: str) -> bool:
    """Return whether a value is missing or of its kind."""
    if kind == "timestamp":
        return text.endswith("Z")
    return text == "NA" or text.lstrip("-").isdigit()


def test_the_irises_are_in_the_order_of_scikit_learn(inbox: Path) -> None:
    """The three files hold, one after another, the rows of load_iris."""
    rows: list[dict[str, str]] = []
    for number in (1, 2, 3):
        with (inbox / "tour" / f"data{number}.csv").open(encoding="utf-8", newline="") as file:
            rows += csv.DictReader(file)
    iris = load_iris()

    names = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
    assert [[float(row[name]) for name in names] for row in rows] == iris.data.tolist()
    assert [row["species"] for row in rows] == [str(iris.target_names[target]) for target in iris.target]
    assert [int(row["id"]) for row in rows] == list(range(1, 151))


@contextmanager
def command(data: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Run `python -m deployments.sample` below `data` on a free port."""
    arguments = [sys.executable, "-m", "deployments.sample", "--data", str(data), "--port", "0", *options]
    pipe = subprocess.PIPE
    with subprocess.Popen(arguments, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_serves_until_a_signal(inbox: Path, number: signal.Signals) -> None:
    """The command says in one line where the site is, serves it, and ends quietly with exit code 0."""
    with command(inbox.parent) as process:
        assert process.stdout
        line = process.stdout.readline()
        health = httpx.get(f"{line.split()[3]}/health")
        process.send_signal(number)
        rest, mistakes = process.communicate()

    assert line.endswith(f"(token: sample-token); inbox in {inbox}\n")
    assert (health.json(), rest, mistakes, process.returncode) == ({"ok": True}, "", "", 0)


def test_the_command_ends_with_its_parent(inbox: Path) -> None:
    """With --parent the command ends when its standard input does."""
    with command(inbox.parent, "--parent") as process:
        assert process.stdout
        process.stdout.readline()
        rest, mistakes = process.communicate()

    assert (rest, mistakes, process.returncode) == ("", "", 0)


def test_a_port_that_is_taken_is_one_sentence(tmp_path: Path) -> None:
    """Where the port is taken the command says so in a sentence, ends with exit code 1 and writes no file."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        with command(tmp_path, "--port", str(port)) as process:
            output, mistakes = process.communicate()

    assert (output, mistakes, process.returncode) == (
        "",
        f"port {port} on 127.0.0.1 cannot be served (Address already in use); end what holds it or choose another: --port\n",
        1,
    )
    assert list(tmp_path.iterdir()) == []
