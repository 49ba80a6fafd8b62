"""Sources that ask by GraphQL, of a real server: every page, and errors whatever their status."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tasks.config import ApiSource, load_pipeline
from tasks.core.errors import ConfigError, PermanentSourceError, SourceError
from tests.ingest.sources import QUICK, job_of, land_one, land_with, open_quietly, read_rows
from tests.site.graphql import FAULTS_ONCE, ORDERS, QUERY
from tests.site.server import Site

ROWS = [{key: row[key] for key in ("id", "total", "buyer")} for row in ORDERS]
WAITS_S = 0.9
"""Least seconds that a host is left alone which asks for one."""


def graphql(site: Site, fault: str = "none", **changes: Any) -> ApiSource:
    """Return a source of the orders, ten a page, changed as said."""
    plain = {
        "url": f"{site.url}/graphql/{fault}",
        "graphql": {"query": QUERY, "variables": {"first": 10}},
        "pagination": {"kind": "graphql"},
        "records_at": "data.orders.nodes",
        "requests": QUICK,
    }
    return ApiSource.model_validate(plain | changes)


def variables(site: Site) -> list[Any]:
    """Return the variables of each request."""
    return [json.loads(seen.body)["variables"] for seen in site.seen]


@pytest.mark.parametrize("fault", ["none", *FAULTS_ONCE])
async def test_every_page_comes_whatever_the_second_answers_once(site: Site, tmp_path: Path, fault: str) -> None:
    """Rows are those of the server, whether nothing failed or a page did by its status, its body or its connection."""
    landed = await land_one(graphql(site, fault), tmp_path)

    assert await asyncio.to_thread(read_rows, landed.path) == ROWS
    assert (landed.pages, len(site.seen)) == (3, 3 + (fault != "none"))
    assert variables(site)[-1] == {"first": 10, "after": "o20"}


@pytest.mark.parametrize("fault", ["limited-once", "throttled-once"])
async def test_a_used_up_limit_is_waited_for(site: Site, tmp_path: Path, fault: str) -> None:
    """The host is left alone for as long as a header, or the cost that the body tells, asks."""
    began = time.monotonic()
    landed = await land_one(graphql(site, fault), tmp_path)

    assert (time.monotonic() - began > WAITS_S, landed.refused) == (True, 1)


async def test_a_cursor_with_a_word_on_more_is_the_same(site: Site, tmp_path: Path) -> None:
    """A connection is read by the keys of any cursor, too: the last page names a cursor, and says that nothing follows."""
    info = "data.orders.pageInfo"
    pagination = {"kind": "cursor", "cursor_at": f"{info}.endCursor", "has_more_at": f"{info}.hasNextPage"}
    source = graphql(site, pagination=pagination | {"place": "body", "param": "variables.after"})

    landed = await land_one(source, tmp_path)

    assert (await asyncio.to_thread(read_rows, landed.path), len(site.seen)) == (ROWS, 3)


async def test_partitions_are_variables(site: Site, tmp_path: Path) -> None:
    """A partition is the variable of its name, or stands in another; nothing of it goes into the address or the query."""
    own = graphql(site, partitions={"region": ["eu", "us"]})
    named = {"query": QUERY, "variables": {"first": 10, "region": "{where}"}}
    other = graphql(site, partitions={"where": ["eu", "us"]}, graphql=named)
    landed = []
    for source in (own, other):
        async with open_quietly(source) as client:
            landed += [await land_with(client, job_of(source, tmp_path, number)) for number in (0, 1)]

    ids = [[row["id"] for row in await asyncio.to_thread(read_rows, each.path)] for each in landed]
    by_region = [[row["id"] for row in ORDERS if row["region"] == region] for region in ("eu", "us")]
    assert ids == by_region * 2
    assert {seen.path for seen in site.seen} == {"/graphql/none"}
    assert {json.loads(seen.body)["query"] for seen in site.seen} == {QUERY}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"graphql": {"query": "{ orders(first: 3) { nodes { idd } } }"}, "pagination": {"kind": "single"}},
            r"the answer has errors: \"Cannot query field 'idd' on type 'Order'. .*\"; correct graphql.query or its",
        ),
        (
            {"graphql": {"query": QUERY, "variables": {"first": "ten"}}},
            r"the answer has errors: .*Variable '\$first' got invalid value 'ten'",
        ),
        (
            {"graphql": {"query": QUERY.replace("pageInfo { hasNextPage endCursor }", ""), "variables": {"first": 10}}},
            r"data.orders.pageInfo.hasNextPage is not in the answer, 'pageInfo' meets the keys nodes; ask for pageInfo",
        ),
        (
            {"graphql": {"query": QUERY.replace("endCursor", ""), "variables": {"first": 10}}},
            r"data.orders.pageInfo.hasNextPage is true, and there is no endCursor after which to go on; ask for",
        ),
        ({"records_at": "data.orders.edges"}, r"records_at: 'data.orders.edges' is not in the body"),
        (
            {
                "graphql": {"query": "query($after: String) { user(id: 2) { orders(first: 2, after: $after) { nodes { id } } } }"},
                "records_at": "data.user.orders.nodes",
            },
            r"records_at: 'data.user.orders.nodes' is not in the body, 'orders' meets None",
        ),
    ],
)  # fmt: skip
async def test_a_wrong_query_is_one_error(site: Site, tmp_path: Path, changes: dict[str, Any], sentence: str) -> None:
    """It is what the server says, or what its answer lacks; it is not asked again."""
    with pytest.raises(PermanentSourceError, match=sentence):
        await land_one(graphql(site, **changes), tmp_path)

    assert len(site.seen) == 1


@pytest.mark.parametrize(
    ("fault", "kind", "sentence", "requests"),
    [
        ("partial", PermanentSourceError, r"errors: .*the buyer is not known.* at orders.nodes.0.buyer; correct", 2),
        ("endless", PermanentSourceError, r"gave the same 10 records as the page before", 2),
        ("no-cursor", PermanentSourceError, r"there is no endCursor after which to go on", 1),
    ],
)
async def test_an_answer_that_lacks_something_is_one_error(
    site: Site, tmp_path: Path, fault: str, kind: type[SourceError], sentence: str, requests: int
) -> None:
    """Rows beside errors may lack values without a word, so that they are not taken; pages that do not end are seen."""
    with pytest.raises(kind, match=sentence):
        await land_one(graphql(site, fault), tmp_path)

    assert len(site.seen) == requests


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"graphql": {"query": "mutation { drop }"}}, "is a mutation, which is no query; a source only reads"),
        ({"graphql": {"query": "query A { a } query B { b }"}}, "has 2 queries, and a request is one"),
        ({"graphql": {"query": "fragment F on A { a }"}}, "has 0 queries, and a request is one"),
        (
            {"graphql": {"query": "{ a } # $first", "variables": {"first": 1}}},
            r"has no variable \$first; declare and use it",
        ),
        ({"graphql": {"query": "{ a }"}}, r"graphql.query has no variable \$after; declare and use it there"),
        ({"partitions": {"land": ["de"]}}, r"graphql.query has no variable \$land; declare and use it there"),
        (
            {"graphql": {"query": "query {"}},
            "Expected Name, found <EOF> in line 1, column 8; mend it there, or write all",
        ),
        (
            {"graphql": {"query": "{ a(\n  b: 1 }"}},
            r"no query that can be read: Expected Name, found '}' in line 2, column 8",
        ),
        ({"graphql": {"query": '{\n a(b: "x) }'}}, r"Unterminated string in line 2, column 12; mend it there"),
        ({"graphql": {"query": "{ a { } }"}}, "Expected Name, found '}' in line 1, column 7; mend it there"),
        ({"body": {"a": 1}}, "graphql is what is posted, as often as it has to be; take body out"),
    ],
)
def test_a_query_that_cannot_be_asked_is_one_mistake(site: Site, changes: dict[str, Any], sentence: str) -> None:
    """It is told before anything is asked."""
    with pytest.raises(ValidationError, match=sentence):
        graphql(site, **changes)


def test_words_within_texts_and_arguments_are_no_operations(site: Site) -> None:
    """A fragment beside the query, an object as an argument, brackets in texts and a comment with a brace are let pass."""
    query = '''
    # { mutation
    fragment F on Order { id note(text: "mutation { x }") }
    query($after: String, $of: [Int] = []) {
      orders(first: 3, after: $after, where: {query: {a: 1}, of: {}}, text: """{ \\""" (""") { nodes { ...F } }
    }
    '''

    assert graphql(site, graphql={"query": query}).may_repeat


def test_a_query_may_be_a_file_beside_the_pipeline(tmp_path: Path) -> None:
    """Its text is taken as it stands; a name without a file is a mistake."""
    path = tmp_path / "orders.yaml"
    path.write_text(
        "name: orders\nsources:\n  orders: {kind: api, url: 'http://127.0.0.1/', graphql: {query: orders.graphql}}\n"
    )
    with pytest.raises(ConfigError, match=r"sources.orders.graphql.query: there is no file .*; put the query there"):
        load_pipeline(path)
    (tmp_path / "orders.graphql").write_text(QUERY)

    source = load_pipeline(path).sources["orders"]

    assert isinstance(source, ApiSource)
    assert source.json_body == {"query": QUERY, "variables": {}}
