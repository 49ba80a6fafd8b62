"""`new` proposes a pipeline file that runs, and gives the rows that are there."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow.parquet as pq
import pytest

from tasks.config import load_pipeline
from tests.flows.conftest import PROJECT, Command, Tidemill, call_command
from tests.site.items import ITEMS
from tests.site.server import Site, Sites

SALES = """Kassenbericht
Zeitraum: {month}.2024

Datum;Kunden;Umsatz;Aktion
01.{month}.2024;1.045;1.234,50 €;ja
02.{month}.2024;980;12,00 €;nein
"""
ODD = ["on", "1e3", "a: b", "#x", "true", "- c", "'q\"", "{d}", "null", "é", "\\e", " f ", "g\tb"]
"""Names that YAML would read as something else, were they not in quotes."""


@pytest.fixture
def site() -> Iterator[Site]:
    """Yield a site of one's own."""
    with Sites().serving() as sites:
        yield sites.add()


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Return the command line, in this process, in a folder of one's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SAMPLE_TOKEN", "sample-token")

    return partial(call_command, capsys.readouterr)


def write_sales(folder: Path) -> None:
    """Write files with titles above their headers, and amounts as they are written in Germany."""
    folder.mkdir(parents=True)
    for month in ("01", "02"):
        (folder / f"sales-{month}.csv").write_bytes(SALES.format(month=month).encode("cp1252"))


def write_stores(path: Path) -> None:
    """Write a workbook."""
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in (["Nr.", "Ort", "Eröffnet"], [101, "Köln", date(2009, 4, 1)], [102, "Kiel", date(2012, 9, 15)]):
        book.active.append(row)
    book.save(path)


def rows_of(data: Path, table: str) -> list[dict[str, Any]]:
    """Return the rows of a table."""
    return [
        row for part in sorted((data / "tables" / table).glob("*.parquet")) for row in pq.read_table(part).to_pylist()
    ]


@pytest.mark.flow
@pytest.mark.usefixtures("prefect_server")
def test_what_is_proposed_runs_and_gives_all_rows(
    tidemill: Tidemill, site: Site, sample_site: str, tmp_path: Path
) -> None:
    """An API by next addresses, one by page numbers, a table over two pages, files with titles, and a workbook."""
    write_sales(tmp_path / "exports")
    write_stores(tmp_path / "stores.xlsx")
    origins = [f"{site.url}/paged/none", f"{sample_site}/api/weather?origin=EWR&month=2&per_page=300"]
    origins += [f"{sample_site}/airlines", "exports", "stores.xlsx"]
    asked = [part for origin in origins for part in ("--from", origin)]

    command = replace(tidemill, cwd=tmp_path)
    made = command("new", "all", *asked, "--token-env", "SAMPLE_TOKEN")
    ran = command("run", "pipelines/all.yaml")

    assert made.returncode == 0, made.stderr
    assert "next: " in made.stdout
    assert ran.returncode == 0, ran.stderr
    data = tmp_path / "data"
    assert rows_of(data, "none") == ITEMS
    assert len(rows_of(data, "weather")) == 669
    assert len(rows_of(data, "airlines")) == 16
    assert rows_of(data, "airlines")[0] == {"carrier": "9E", "name": "Endeavor Air Inc."}
    assert rows_of(data, "sales") == [
        {"Datum": date(2024, month, day), "Kunden": customers, "Umsatz": amount, "Aktion": is_on}
        for month in (1, 2)
        for day, customers, amount, is_on in ((1, 1045, 1234.5, True), (2, 980, 12.0, False))
    ]
    assert rows_of(data, "stores")[0] == {"Nr.": 101, "Ort": "Köln", "Eröffnet": date(2009, 4, 1)}


def test_the_paging_that_is_shown_is_declared(own: Command, site: Site, sample_site: str, tmp_path: Path) -> None:
    """What is asked for is asked once; the parameters of the address are those of the source, but for the page."""
    made = own("new", "x", "--from", f"{site.url}/paged/none", "--from", f"{sample_site}/api/weather?origin=JFK&month=1&page=1", "--token-env", "SAMPLE_TOKEN")  # fmt: skip

    assert made.code == 0, made.stderr
    assert site.paths == ["/paged/none"]
    sources = load_pipeline(tmp_path / "pipelines" / "x.yaml").model_dump(mode="json")["sources"]
    assert sources["none"]["pagination"]["next_at"] == "next"
    assert sources["none"]["key"] == ["id"]
    assert sources["weather"]["params"] == {"origin": "JFK", "month": 1}
    assert sources["weather"]["pagination"]["pages_at"] == "pages"
    assert sources["weather"]["auth"]["token"]["env"] == "SAMPLE_TOKEN"


def test_lists_in_records_are_tables_of_their_own(own: Command, site: Site, tmp_path: Path) -> None:
    """Elements that differ by an id within their record have a table; where they do not, it is a guess, and a comment."""
    site.echo_body = (
        b'[{"id": 1, "lines": [{"line": 1, "price": "1.50 EUR"}, {"line": 2, "price": "9.00 EUR"}], "notes": [{"by": "a"}],'
        b' "parts": [{"sku": "a"}, {"sku": "b"}]}, {"id": 2, "lines": [], "notes": [], "parts": []}]'
    )

    made = own("new", "shop", "--from", f"{site.url}/echo/body")

    assert made.code == 0, made.stderr
    text = (tmp_path / "pipelines" / "shop.yaml").read_text()
    (source,) = load_pipeline(tmp_path / "pipelines" / "shop.yaml").sources.values()
    table = source.model_dump()["tables"]["body_lines"]
    assert (table["take"], table["key"]) == ({"body_id": "id"}, ("body_id", "line"))
    assert table["columns"]["price"]["strip"] == ("EUR",)
    assert "      # body_notes: {explode: notes}\n" in text
    assert "      # ? sku may stand in one record twice, of which one would be dropped\n" in text
    assert "      # body_parts: {explode: parts, take: {body_id: id}, key: [body_id, sku]}\n" in text


@pytest.mark.flow
@pytest.mark.usefixtures("prefect_server")
def test_what_the_lists_in_records_come_to_is_learnt_from(tidemill: Tidemill, site: Site, tmp_path: Path) -> None:
    """A table has beside each record the number, sums, means and few values of its elements, none of them for an empty list."""
    lines = [
        [
            {"line": k, "sku": f"s{n}{k}", "kind": "it's" if k % 2 else "b", "qty": k, "price": "1,000.50 €"}
            for k in range(n % 4)
        ]
        for n in range(40)
    ]
    records = [{"id": n, "lines": each, "late": None if n == 5 else n % 2 == 0} for n, each in enumerate(lines)]
    site.echo_body = json.dumps(records).encode()

    command = replace(tidemill, cwd=tmp_path)
    made = command("new", "shop", "--from", f"{site.url}/echo/body")
    learnt = command("new", "late", "--from", f"{site.url}/echo/body", "--target", "late")
    ran = command("run", "pipelines/shop.yaml")

    assert made.returncode == 0, made.stderr
    assert "body_with_lines: a table that a query makes of body and body_lines" in made.stdout
    assert learnt.returncode == 0, learnt.stderr
    training = load_pipeline(tmp_path / "pipelines" / "late.yaml").training
    assert training is not None
    assert 'FROM "body_with_lines"\nWHERE "late" IS NOT NULL' in training.query
    assert ran.returncode == 0, ran.stderr
    rows = rows_of(tmp_path / "data", "body_with_lines")
    assert [row["id"] for row in rows] == [*range(40)]
    none = {"lines": 0, "lines_kind_b": 0, "lines_kind_it's": 0, "lines_qty_sum": 0, "lines_qty_mean": None}
    assert rows[0].items() >= none.items()
    assert rows[3].items() >= {"lines": 3, "lines_kind_it's": 1, "lines_qty_mean": 1, "lines_price_sum": 3001.5}.items()


def test_odd_names_are_the_same_names_in_the_file(own: Command, tmp_path: Path) -> None:
    """Names that are numbers, truths or signs of YAML come back as they are, as keys and in a query."""
    names = [*ODD, "late"]
    rows = [",".join(f'"{name}"' if '"' not in name else '"\'q"""' for name in names)]
    rows += [",".join([f"{n}.50 €"] * len(ODD) + [str(n % 2)]) for n in range(20)]
    (tmp_path / "odd.csv").write_text("\n".join(rows), encoding="utf-8")

    made = own("new", "odd", "--from", "odd.csv", "--target", "late")
    checked = own("check", "pipelines/odd.yaml")

    assert made.code == 0, made.stderr
    assert checked.code == 0, checked.stderr
    pipeline = load_pipeline(tmp_path / "pipelines" / "odd.yaml")
    declared = pipeline.model_dump()["sources"]["odd"]["columns"]
    assert [name.strip() for name in declared] == [name.strip() for name in ODD]
    assert pipeline.training is not None
    assert all(f'"{name.strip()}"'.replace('q"', 'q""') in pipeline.training.query for name in ODD)


def test_a_folder_of_several_kinds_is_a_source_for_each(own: Command, tmp_path: Path) -> None:
    """Files that differ in numbers, or have the same columns, are one source; ids that begin anew in each file are no key."""
    folder = tmp_path / "data" / "inbox"
    folder.mkdir(parents=True)
    for month in (1, 2, 10):
        (folder / f"orders_2024-{month:02}.csv").write_text("id,price\n1,2.5\n2,3\n")
    for town in ("bonn", "kiel"):
        (folder / f"{town}.tsv").write_text(f"shop\tn\n{town}\t1\n")
    (folder / "items.json").write_text('{"meta": {"n": 2}, "data": [{"id": "a"}, {"id": "b"}], "few": [{"x": 1}]}')
    (folder / "README.md").write_text("no data")
    (folder / "broken.xlsx").write_text("no workbook")

    made = own("new", "x", "--from", "inbox")

    assert made.code == 0, made.stderr
    path = tmp_path / "pipelines" / "x.yaml"
    sources = load_pipeline(path).model_dump()["sources"]
    assert {name: source["path"] for name, source in sources.items()} == {
        "orders": ("inbox/orders_*-*.csv",),
        "bonn": ("inbox/bonn.tsv", "inbox/kiel.tsv"),
        "items": ("inbox/items.json",),
    }
    assert sources["items"]["read"]["records_at"] == "data"
    assert {name: source["key"] for name, source in sources.items()} == {"orders": (), "bonn": (), "items": ("id",)}
    assert "    # ? id is another in each row of a file, and the same in some of several" in path.read_text()
    assert "# Left out, as it cannot be read: inbox/broken.xlsx: " in path.read_text()


def test_columns_that_change_their_names_are_told(own: Command, tmp_path: Path) -> None:
    """A column that stands where the first file has another may be the same one, and is a guess."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "sales-1.csv").write_text("day;sum\n1;5,50 €\n2;6,25 €\n")
    (tmp_path / "a" / "sales-2.csv").write_text("day;sum (net)\n3;7,50 €\n4;8,25 €\n")

    made = own("new", "x", "--from", "a")

    assert made.code == 0, made.stderr
    text = (tmp_path / "pipelines" / "x.yaml").read_text()
    assert "# ../a/sales-2.csv has sum (net) and lacks sum, unlike ../a/sales-1.csv.\n" in text
    declared = 'type: float, strip: ["€"], thousands: ".", decimal: ","'
    assert f'      "sum (net)": {{{declared}}}  # as in 7,50 €\n' in text
    assert f'      # "sum (net)": {{{declared}, rename: sum}}\n' in text


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (("x",), "--from: is missing, and there is no terminal to ask in; give the address of an API"),
        (("X y", "--from", "a.csv"), "'X y' is no name of a pipeline; write small letters"),
        (("x", "--from", "none.csv"), "no file matches none.csv, here or below "),
        (("x", "--from", "empty"), "empty has no file of a known ending; give files of .arrows, .csv, "),
        (("x", "--from", "https://h/a.csv?token=0123456789abcdef0"), "https://h/a.csv?token=*** holds a secret"),
        (
            ("x", "--from", "a.csv", "--target", "pric"),
            "--target: pric is no column of what --from has; did you mean price?",
        ),
        (("x", "--from", "http://127.0.0.1:1/a?api_key=0123456789abcdef0"), "holds a secret, which belongs in auth"),
        (("x", "--from", "http://[wrong"), "--from: 'http://[wrong' is not an address"),
    ],
)
def test_what_cannot_be_proposed_says_the_cure(own: Command, asked: tuple[str, ...], told: str, tmp_path: Path) -> None:
    """Nothing is written, and the exit code is that of a wrong command."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.csv").write_text("id,price\n1,2\n2,3\n")

    ended = own("new", *asked)

    assert ended.code == 2, ended.stderr
    assert told in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert {path.name for path in tmp_path.rglob("*")} == {"a.csv", "empty"}


def test_what_is_there_is_not_overwritten(own: Command, tmp_path: Path) -> None:
    """A file of the name stays as it is, in a project as in a folder of one's own."""
    (tmp_path / "deployments" / "x").mkdir(parents=True)
    there = tmp_path / "deployments" / "x" / "pipeline.yaml"
    there.write_text("mine")

    ended = own("new", "x", "--from", "a.csv")

    assert ended.code == 2
    assert (
        ended.stderr
        == "error: deployments/x/pipeline.yaml: is there already, and is not overwritten; choose another name, or --file\n"
    )
    assert there.read_text() == "mine"


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("no-match", "in which there are no rows: neither JSON, nor a table or elements that repeat"),
        ("empty", "the answer has no rows; give an address that is answered with some"),
    ],
)
def test_an_answer_without_rows_is_told(own: Command, site: Site, path: str, told: str) -> None:
    """A page of nothing but texts, and an empty list, are no sources."""
    ended = own("new", "x", "--from", f"{site.url}/{path}")

    assert ended.code == 2
    assert told in ended.stderr


def test_no_answer_writes_a_line_or_a_variable_of_its_own(own: Command, site: Site, tmp_path: Path) -> None:
    """Line breaks in an API's names and values stay within their comment or their quotes, and no variable is filled in."""
    site.echo_body = b'[{"a\\nname: b": "1.50 \\u20ac", "c": "x\\nextensions: [os:system]"}, {"a\\nname: b": "2.50 \\u20ac", "c": "y"}]'

    made = own("new", "x", "--from", f"{site.url}/echo/body")
    site.echo_body = b'[{"${HOME}id": 1, "id": 1}, {"${HOME}id": 2, "id": 1}]'
    refused = own("new", "y", "--from", f"{site.url}/echo/body")

    assert made.code == 0, made.stderr
    pipeline = load_pipeline(tmp_path / "pipelines" / "x.yaml").model_dump()
    assert (pipeline["name"], pipeline["extensions"]) == ("x", ())
    assert [*pipeline["sources"]["body"]["columns"]] == ["a\nname: b"]
    assert refused.code == 2
    assert "'${HOME}id' would be taken for an environment variable" in refused.stderr


def test_robots_txt_decides_unless_it_is_an_api(own: Command, tmp_path: Path) -> None:
    """A page that robots.txt disallows is not asked for; an API is not subject to it."""
    (tmp_path / "robots.txt").write_text("User-agent: *\nDisallow: /orders\n")
    (tmp_path / "orders").write_text('[{"id": 1}, {"id": 2}]')
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout is not None
        url = server.stdout.readline().split("(")[1].split(")")[0] + "orders"
        page, api = own("new", "page", "--from", url), own("new", "api", "--from", url, "--api")
        server.terminate()

    assert page.code == 1
    assert "robots.txt disallows this page; give another address, or --api" in page.stderr
    assert api.code == 0, api.stderr


def test_in_a_terminal_it_asks(tmp_path: Path) -> None:
    """Where the rows come from, and what is to be predicted, may be answered in the place of options."""
    (tmp_path / "a.csv").write_text("id,price,late\n" + "".join(f"{n},{n}.5,{n % 2}\n" for n in range(30)))
    asking, answering = pty.openpty()
    command = [sys.executable, "-m", "flows", "new", "x"]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        stdin=answering,
        stdout=answering,
        stderr=answering,
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
    )
    os.write(asking, b"a.csv\nlate\n")

    assert process.wait(60) == 0, os.read(asking, 5000).decode()
    os.close(asking)
    os.close(answering)
    training = load_pipeline(tmp_path / "pipelines" / "x.yaml").training
    assert training is not None
    assert (training.target, training.metric, training.task) == ("late", "roc_auc", "classification")
    assert training.query == 'SELECT "price", "late"\nFROM "a"\nWHERE "late" IS NOT NULL\n'
