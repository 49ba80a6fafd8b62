"""Every command and file that README and the pages of docs/ show is run here, or by the test that is named."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from textwrap import indent
from typing import Any

import pandas as pd
import pytest
from cyclopts import MissingArgumentError
from pydantic import TypeAdapter
from ruamel.yaml import YAML

from flows.cli.app import app
from flows.cli.main import run_command
from tasks.config import ApiSource, load_pipeline
from tests.documented import DOCS, PAGES, PROJECT, README, blocks
from tests.flows.conftest import data, sample_site  # noqa: F401 - fixtures
from tests.shop import ORDERS, PRODUCTS, TOKEN, open_shop, order, write_inbox
from tests.thorough import takes_minutes

BIN = Path(sys.executable).parent
COMMAND_S = 300
RUN_HERE = ("tidemill ",)
ELSEWHERE = {
    "python3 -m venv": ".ci/run",
    ".venv/bin/just": ".ci/run",
    "prefect server start": "tests/flows/scheduling.py",
    "python -m deployments.sample": "tests/flows/conftest.py",
    "prefect work-pool create": "tests/flows/test_deployments.py",
    "prefect deployment run": "tests/flows/test_deployments.py",
}
"""What the other commands begin with, and what runs them."""
OTHER_PAGES = {
    "cluster.md": "tests/flows/test_bucket.py",
    "first_pipeline.md": "tests/flows/test_first_pipeline.py",
    "python.md": "tests/flows/test_python.py",
}
"""The pages with a test of their own."""


@dataclass
class Shop:
    """A folder in which pipelines and commands of the pages are run, and the address of a shop that answers."""

    address: str
    folder: Path
    environment: dict[str, str] = field(
        default_factory=lambda: {"SHOP_TOKEN": TOKEN, "PRIVACY_SALT": "salt of this server alone"}
    )

    def run(self, line: str) -> str:
        """Run a line in a shell as it stands on a page, and return what it prints."""
        environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", **self.environment}
        command = ["bash", "-c", self.at_home(line)]
        ended = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=COMMAND_S, check=False
        )
        assert ended.returncode == 0, f"{line}: {ended.stdout}{ended.stderr}"
        return ended.stdout

    def at_home(self, text: str) -> str:
        """Return what a page says with the address of this shop."""
        return re.sub(r"https://(api|shop)\.example\.com", self.address, text)

    def run_page(self, page: Path, replaced: Mapping[str, str] | None = None) -> list[str]:
        """Run the commands and the Python code of a page, in their order, and return what the commands print."""
        lines = [line for block in blocks(page, "sh") for line in block.splitlines() if line.startswith(RUN_HERE)]
        for old, new in (replaced or {}).items():
            lines = [line.replace(old, new) for line in lines]
        told = [self.run(line) for line in lines]
        for code in blocks(page, "python"):
            self.run(f"{shlex.quote(sys.executable)} -c {shlex.quote(code)}")
        return told

    def write(self, text: str) -> Path:
        """Write a pipeline file of a page, with the address of this shop, and return its path."""
        text = self.at_home(text)
        path = self.folder / f"{YAML(typ='safe').load(text)['name']}.yaml"
        path.write_text(text)
        return path


@pytest.fixture(scope="module")
def shop(prefect_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Yield the folder of somebody who has done what README says of a pipeline of one's own."""
    assert prefect_server
    folder = tmp_path_factory.mktemp("shop")
    write_inbox(folder / "data" / "inbox")
    shutil.copytree(PROJECT / "deployments" / "flights", folder / "deployments" / "flights")
    with open_shop() as address:
        shop = Shop(address, folder)
        shop.write(*blocks(README, "yaml"))
        shop.run_page(README)
        yield shop


@pytest.mark.flow
def test_the_pipeline_of_readme_gives_each_value_as_it_is(shop: Shop) -> None:
    """Its commands run as they stand, and its three kinds of sources are joined by their keys."""
    facts = pd.read_parquet(shop.folder / "data" / "tables" / "order_facts").set_index("id").sort_index()

    orders = [order(number) for number in range(ORDERS)]
    assert list(facts.index) == [each["id"] for each in orders]
    assert list(facts["pieces"].isna()) == [not each["items"] for each in orders]
    assert facts.loc["ord_0012"].to_dict() == {
        "returned": False,
        "total": 1012.5,
        "pieces": 1,
        "list_price": 1001.5,
        "cost": 1012.5,
    }
    assert load_pipeline(shop.folder / "deployments" / "shop" / "pipeline.yaml").training
    assert len(pd.read_excel(shop.folder / "order_facts.xlsx", engine="calamine")) == len(facts)


@pytest.mark.flow
@takes_minutes("it trains, and runs a dozen commands")
def test_the_commands_on_models_run(shop: Shop) -> None:
    """Of two versions, the second of which had ensembles to choose from, the first is chosen by hand, and set aside again; the other predicts."""
    path = shop.folder / "shop.yaml"
    ensembles, truth = blocks(DOCS / "models.md", "yaml")
    again = path.read_text().replace("roc_auc\n", "roc_auc\n  seed: 2\n  promotion: {when: always}\n")
    again = again.partition("  candidates:\n")[0] + indent(ensembles, "  ")
    path.write_text(again + truth.replace("14d", "0s"))
    shop.run("tidemill run shop.yaml --only train && tidemill export order_facts new_orders.csv")
    first, second = sorted(path.name for path in (shop.folder / "data" / "models" / "shop").glob("v0*"))

    listed, promoted, rolled_back, *_, judged = shop.run_page(DOCS / "models.md", {"v0001-352a6960": first})

    assert first in listed
    assert promoted.startswith(first)
    assert second in rolled_back
    predicted = pd.read_parquet(shop.folder / "predicted.parquet")
    assert len(predicted) == len(pd.read_csv(shop.folder / "new_orders.csv"))
    assert set(predicted["model_version"]) == {second}
    table = pd.read_parquet(shop.folder / "data" / "truth" / "shop" / "scores.parquet")
    scores: dict[str, Any] = {row["figure"]: row for row in table.to_dict("records")}
    known = [number for number in range(ORDERS) if order(number)["returned"] is not None]
    assert f"version {second}, score, 95 % roc_auc " in judged
    assert (scores["scored"]["value"], scores["predicted"]["value"]) == (len(known), 2 * ORDERS)
    assert scores["roc_auc"]["low"] < scores["roc_auc"]["value"] < scores["roc_auc"]["high"]


@pytest.mark.flow
@takes_minutes("it runs a dozen commands")
def test_the_commands_of_operation_run(shop: Shop, sample_site: str) -> None:  # noqa: F811 - the fixture
    """A stage, a slice of the demo, and exports."""
    shop.environment |= {"SAMPLE_SITE": sample_site, "SAMPLE_TOKEN": "sample-token"}

    shop.run_page(DOCS / "operate.md")

    assert len(pd.read_csv(shop.folder / "orders.csv")) == ORDERS
    landed = (shop.folder / "data" / "raw" / "weather").glob("*.jsonl.zst")
    assert {path.name.removesuffix(".jsonl.zst") for path in landed} == {"origin=JFK,month=3", "origin=JFK,month=4"}


@pytest.mark.flow
@takes_minutes("it runs a dozen pipelines")
def test_the_pipelines_on_sources_give_each_value_as_it_is(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Amounts, dates, yes and no, and keys are those that the shop has."""
    write_inbox(shop.folder / "sources" / "inbox")
    monkeypatch.chdir(shop.folder)
    for name, value in shop.environment.items():
        monkeypatch.setenv(name, value)
    for text in blocks(DOCS / "sources.md", "yaml"):
        assert run_command(["run", shop.write(text).name, "--data", "sources"]) == 0, capsys.readouterr().err
    tables = shop.folder / "sources" / "tables"

    known = pd.read_parquet(tables / "known_orders").set_index("id")
    sales = pd.read_parquet(tables / "sales").to_dict("records")
    margins = pd.read_parquet(tables / "margins").set_index("sku")
    asked = pd.read_parquet(tables / "shop_orders").set_index("id")["customer.country"].to_dict()

    assert len(known) == sum(order(number)["returned"] is not None for number in range(ORDERS))
    assert known.loc["ord_0012"].to_dict() == {
        "returned": False,
        "total": 1012.5,
        "country": "DE",
        "lines": 1,
        "pieces": 1,
    }
    assert (known.loc["ord_0009", "lines"], known["pieces"].count()) == (0, known["lines"].gt(0).sum())
    assert asked == {each["id"]: each["customer"]["country"] for each in map(order, range(ORDERS))}
    assert len(sales) == 90
    assert {"day": date(2023, 1, 7), "store": 101, "town": "Kiel", "revenue": 1007.5, "promo": True} in sales
    assert {"day": date(2022, 1, 7), "store": 201, "town": "Füssen", "revenue": 7.25, "promo": True} in sales
    listed = {name: len(pd.read_parquet(tables / name)) for name in ("chairs", "newest", "by_department")}
    assert listed == {"chairs": PRODUCTS, "newest": 2, "by_department": PRODUCTS}
    chairs = pd.read_parquet(tables / "chairs")
    assert chairs[["weight_kg", "made_in"]].drop_duplicates().to_dict("records") == [
        {"weight_kg": 7.5, "made_in": "Kiel"}
    ]
    returns = pd.read_parquet(tables / "returns").set_index("order_id")
    sent_back = [number for number in range(ORDERS) if order(number)["returned"] and number % 10]
    assert sorted(returns.index) == [f"ord_{number:04d}" for number in sent_back]
    assert returns.loc["ord_0016"].to_dict() == {"order_total": "1,016.50 €", "line": 1, "reason": "reason 16"}
    clients, bought = pd.read_parquet(tables / "clients"), pd.read_parquet(tables / "client_orders")
    assert (list(clients.columns), list(bought.columns)) == (
        ["id", "contact.town"],
        ["id", "total", "customer.id", "lines"],
    )
    assert clients["id"].tolist() == bought["customer.id"].tolist()
    reports = pd.read_parquet(tables / "sales_reports")
    assert reports.to_dict("list") == {"month": [1, 2], "sold": [100, 200]}
    tariffs = pd.read_parquet(tables / "tariffs")
    assert tariffs.to_dict("list") == {"place": ["Köln", "Ulm"] * 2, "price": [1.5, 2.25] * 2}
    assert pd.read_parquet(tables / "usage").to_dict("list") == {"day": [1, 2], "used": [7, 8]}
    tags = pd.read_parquet(tables / "article_tags")
    assert list(zip(tags["article"], tags["tag"], strict=True)) == [(1, "new"), (1, "red"), (2, "red")]
    assert pd.read_parquet(tables / "daily")["visits"].sum() == 100 * sum(range(1, 32))
    assert len(margins) == PRODUCTS
    assert margins.loc["007"].to_dict() == {"name": "Chair 007", "price": 1007.5, "cost": 7.25, "margin": 1000.25}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_is_run(page: Path) -> None:
    """Each line of a block begins as one that is run here or by another test, which is there, as is one of the whole page."""
    if page.name in OTHER_PAGES:
        assert page.name in (PROJECT / OTHER_PAGES[page.name]).read_text(encoding="utf-8")
        return
    for line in (line for block in blocks(page, "sh") for line in block.splitlines() if line):
        ran_by = [test for start, test in ELSEWHERE.items() if line.startswith(start)]
        assert line.startswith(RUN_HERE) or ran_by, f"{page.name}: {line}"
        assert all((PROJECT / test).exists() for test in ran_by)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_in_a_sentence_exists(page: Path) -> None:
    """With its options; what stands in capitals, or in dots, is the reader's."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for line in re.findall(r"`(?:\.venv/bin/)?tidemill ([a-z][^`>]*)", text):
        with suppress(MissingArgumentError):
            app.parse_args(line, exit_on_error=False, print_error=False)


@pytest.mark.parametrize("key", ["pagination", "auth", "partitions", "answer"])
def test_each_kind_in_a_table_of_sources_is_right(key: str) -> None:
    """The lines below the head of its column are values that the key takes."""
    text = (DOCS / "sources.md").read_text(encoding="utf-8")
    values = re.findall(
        r"^\| .* \| `(\{.*\})` \|$", text.partition(f"`{key}:` |")[2].partition("\n\n")[0], re.MULTILINE
    )
    takes: TypeAdapter[Any] = TypeAdapter(ApiSource.model_fields[key].rebuild_annotation())

    assert len(values) >= 4
    for value in values:
        takes.validate_python(YAML(typ="safe").load(value))


def test_the_targets_on_exports_are_of_the_kinds_told(tmp_path: Path) -> None:
    """The block of the page, below the tables that it names; what is written to each kind is tried by the tests of exports."""
    (block,) = blocks(DOCS / "export.md", "yaml")
    path = tmp_path / "shop.yaml"
    made = "tables: {daily: {query: SELECT id FROM orders}}"
    path.write_text(f"name: shop\nsources: {{orders: {{kind: files, path: inbox/orders.csv}}}}\n{made}\n{block}")

    pipeline = load_pipeline(path)

    kinds = [target.kind for targets in pipeline.export.values() for target in targets]
    assert kinds == ["file", "file", "sqlite", "postgresql", "delta"]
