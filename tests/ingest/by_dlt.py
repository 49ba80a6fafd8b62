"""What dlt lands of the sources that test_short_files.py describes: its own examples, asked of the test site."""

from __future__ import annotations

import json
import sys
from typing import Any

import dlt
import duckdb
from dlt.sources.rest_api import rest_api_resources

_DETAILS = {"name": "details", "endpoint": {"path": "pokemon/{resources.pokemon.name}", "paginator": "single_page"}}
_QUERY = """
query($after: String, $region: String) {{
  orders(first: 4, after: $after, region: $region) {{ nodes {{ id total }} pageInfo {{ hasNextPage endCursor }} }}
}}
"""  # braces are doubled: one is an expression to dlt


def pokemon(url: str) -> dict[str, Any]:
    """Return dlt's list of creatures, its berries, and the detail of each creature."""
    return {
        "client": {"base_url": f"{url}/api/v2/", "paginator": {"type": "json_link", "next_url_path": "next"}},
        "resources": [
            {"name": "pokemon", "endpoint": {"path": "pokemon", "params": {"limit": 3}}},
            {"name": "berry", "endpoint": {"path": "berry", "params": {"limit": 1000}}},
            _DETAILS,
        ],
    }


def issues(url: str) -> dict[str, Any]:
    """Return dlt's resource of what was updated since the last run."""
    since = {"type": "incremental", "cursor_path": "at", "initial_value": "2024-01-01T00:00:00Z"}
    pages = {"type": "page_number", "base_page": 1, "total_path": "pages"}
    endpoint = {"path": "since", "params": {"since": since}, "paginator": pages, "data_selector": "items"}
    resource = {"name": "issues", "primary_key": "id", "write_disposition": "merge", "endpoint": endpoint}
    return {"client": {"base_url": f"{url}/"}, "resources": [resource]}


def orders(url: str) -> dict[str, Any]:
    """Return a connection of GraphQL, as its body and the cursor in it."""
    cursor = {
        "type": "cursor",
        "cursor_path": "data.orders.pageInfo.endCursor",
        "cursor_body_path": "variables.after",
        "has_more_path": "data.orders.pageInfo.hasNextPage",
    }
    body = {"query": _QUERY, "variables": {"region": "eu"}}
    endpoint = {"path": "graphql/none", "method": "POST", "json": body, "paginator": cursor}
    resource = {"name": "orders", "endpoint": endpoint | {"data_selector": "data.orders.nodes"}}
    return {"client": {"base_url": f"{url}/"}, "resources": [resource]}


def main() -> None:
    """Land a source, and print the rows of each of its tables."""
    name, url, folder = sys.argv[1:]
    config: Any = {"pokemon": pokemon, "issues": issues, "orders": orders}[name](url)
    names = [each["name"] for each in config["resources"]]
    pipeline = dlt.pipeline(name, pipelines_dir=folder, destination=dlt.destinations.duckdb(f"{folder}/rows.duckdb"))
    resources = rest_api_resources(config)
    for each in resources:
        each.max_table_nesting = 0
    pipeline.run(resources, dataset_name="data")
    with duckdb.connect(f"{folder}/rows.duckdb") as database:
        tables = {name: database.table(f"data.{name}").to_arrow_table() for name in names}
    rows = {name: table.drop_columns(["_dlt_id", "_dlt_load_id"]).to_pylist() for name, table in tables.items()}
    json.dump(rows, sys.stdout, default=str)


if __name__ == "__main__":
    main()
