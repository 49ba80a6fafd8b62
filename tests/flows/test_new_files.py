"""`new` reads all of small files: what all of them bear out is declared, and what is another shape is another source."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import openpyxl
import pytest

from tasks.config import load_pipeline
from tests.flows.conftest import Command, call_command

OLD = """Report
day;shop;visitors;sales;promo
01.02.2022;1;980;1.200,50;ja
02.02.2022;2;1.045;7.020,61;nein
Total;;2.025;8.221,11;
"""
NEW = """day;shop no.;visitors;sales (net);promo
01.02.2023;1;870;2.900,00;ja
02.02.2023;2;910;6.100,00;ja
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Return the command line, in this process, in a folder of one's own."""
    monkeypatch.chdir(tmp_path)
    return partial(call_command, capsys.readouterr)


def propose(own: Command, *asked: str) -> str:
    """Have a file proposed, and return its text."""
    made = own("new", "x", *asked)
    assert made.code == 0, made.stderr
    return Path("pipelines/x.yaml").read_text(encoding="utf-8")


def words(text: str) -> str:
    """Return a text on one line, as a sentence of its comments is read."""
    return " ".join(text.replace("# ", "").split())


def test_names_that_changed_are_one_column_where_values_are_alike(own: Command, tmp_path: Path) -> None:
    """A column is declared by the values of all files, under each of its names; the target may be any of these."""
    (tmp_path / "tills").mkdir()
    for number, text in enumerate((OLD, OLD, NEW), start=1):
        (tmp_path / "tills" / f"till-{number}.csv").write_text(text, encoding="utf-8")

    text = propose(own, "--from", "tills", "--target", "sales (net)")

    pipeline = load_pipeline(tmp_path / "pipelines" / "x.yaml")
    declared = pipeline.model_dump(exclude_defaults=True)["sources"]["till"]["columns"]
    amount = {"type": "float", "thousands": ".", "decimal": ","}
    assert declared["sales"] == amount
    assert declared["sales (net)"] == {**amount, "rename": "sales"}
    assert declared["shop no."] == {"rename": "shop"}
    assert declared["visitors"] == {**amount, "type": "int"}
    assert "? " not in text.replace("below ? is", "")
    assert pipeline.training is not None
    assert pipeline.training.target == "sales"


def test_a_column_whose_values_are_unlike_is_not_renamed(own: Command, tmp_path: Path) -> None:
    """Another measure may stand in its place: a guess, and a comment."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "n-1.csv").write_text("id,shop,mass\n1,a,1.5\n2,b,2.5\n")
    (tmp_path / "a" / "n-2.csv").write_text("id,shop,price\n3,a,1500.5\n4,b,2200.5\n")

    text = propose(own, "--from", "a")

    assert "      # price: {rename: mass}\n" in text
    assert "but its values are not like those: it may be the same" in words(text)


def test_a_notation_that_files_do_not_share_is_no_number(own: Command, tmp_path: Path) -> None:
    """Where one file has a decimal comma and another a decimal point, a column of both stays text."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "n-1.csv").write_text("day;sum\n1;5,50 €\n2;1.256,25 €\n")
    (tmp_path / "a" / "n-2.csv").write_text("day;sum\n3;5.50 €\n4;6.25 €\n")

    text = propose(own, "--from", "a")

    assert "# sum: string" in text
    assert "type: float" not in text


def test_files_of_another_shape_are_another_source(own: Command, tmp_path: Path) -> None:
    """Names that differ in a number alone are no proof: what has few columns in common is apart, as is each kind of a glob."""
    (tmp_path / "a").mkdir()
    for number, text in enumerate(("id,price\n1,2\n", "id,price\n2,3\n", "town,people\nBonn,3\n"), start=1):
        (tmp_path / "a" / f"export_{number}.csv").write_text(text)
    (tmp_path / "a" / "log.csv").write_text("when,what\n2024-01-01,a\n")

    propose(own, "--from", "a/*.csv")

    sources = load_pipeline(tmp_path / "pipelines" / "x.yaml").model_dump()["sources"]
    assert {name: source["path"] for name, source in sources.items()} == {
        "export": ("../a/export_1.csv", "../a/export_2.csv"),
        "export_2": ("../a/export_3.csv",),
        "log": ("../a/log.csv",),
    }


def test_each_sheet_is_a_source(own: Command, tmp_path: Path) -> None:
    """Sheets that hold no rows are none."""
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active.title = "Stores"
    for sheet, rows in ((book.active, [["no", "town"], [1, "Bonn"]]), (book.create_sheet("Öffnung 1"), [["no", "from"], [1, "8:00"]])):  # fmt: skip
        for row in rows:
            sheet.append(row)
    book.create_sheet("Empty")
    book.save(tmp_path / "stores.xlsx")

    propose(own, "--from", "stores.xlsx")

    sources = load_pipeline(tmp_path / "pipelines" / "x.yaml").model_dump()["sources"]
    assert {name: source["read"]["sheet"] for name, source in sources.items()} == {
        "stores": "Stores",
        "stores_ffnung_1": "Öffnung 1",
    }


def test_two_systems_of_the_same_types_are_a_query_to_look_at(own: Command, tmp_path: Path) -> None:
    """A query of both is proposed as a comment, and is one of the file where its # is taken away."""
    for name, head in (("north", "day,shop,sales,promo"), ("south", "date,store,revenue,offer")):
        (tmp_path / f"{name}.csv").write_text(f"{head}\n2024-01-01,1,2.5,yes\n2024-01-02,2,3.5,no\n")

    text = propose(own, "--from", "north.csv", "--from", "south.csv")

    start = text.index("# tables:")
    lines = [
        line.replace("# ", "", 1)
        for line in text[start:].splitlines()
        if "training:" not in line and "  # ? " not in line
    ]
    lines = [line for line in lines if line.startswith(("tables", "  north_and", "    query", "      "))]
    (tmp_path / "y.yaml").write_text(text[:start] + "\n".join(lines) + "\n")
    query = load_pipeline(tmp_path / "y.yaml").tables["north_and_south"].query
    assert query is not None
    assert '"revenue" AS "sales"' in query


def test_a_folder_of_one_file_takes_those_to_come(own: Command, tmp_path: Path) -> None:
    """It is named by its file, whose number may be another."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "orders-2024-01.csv").write_text("id,price\n1,2\n")

    propose(own, "--from", "a")

    (found,) = load_pipeline(tmp_path / "pipelines" / "x.yaml").model_dump()["sources"].items()
    assert (found[0], found[1]["path"]) == ("orders", ("../a/orders-*-*.csv",))


def test_what_to_do_next_begins_with_a_check(own: Command, tmp_path: Path) -> None:
    """The commands that only look at the file are told before the one that runs it."""
    (tmp_path / "orders.csv").write_text("id,price\n1,2\n")

    told = own("new", "x", "--from", "orders.csv").stdout.partition("next: ")[2]

    assert 0 < told.index(" check ") < told.index(" preview ") < told.index(" run ")
