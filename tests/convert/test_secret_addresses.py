"""Addresses of files that hold secrets: they are used, and stand in nothing that is made of the files; and where they may redirect to."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tasks.core.errors import TableError
from tests.convert.conftest import files_source, make_table, read_rejects, read_rows
from tests.convert.serving import Quiet, serving

SECRET = "sesame7open"  # noqa: S105 - a test's secret
CSV = b"id,x\n1,1\n2,bad\n"


@contextmanager
def files(routes: dict[str, bytes | str]) -> Iterator[tuple[str, list[str]]]:
    """Serve bodies, or redirects to where a text says, by path; yield the address and what is asked for with which proof."""
    asked: list[str] = []

    class Files(Quiet):
        def do_HEAD(self) -> None:  # noqa: N802 - its name there
            pair = base64.b64decode(self.headers.get("Authorization", "").removeprefix("Basic ")).decode()
            asked.append(f"{self.path} {pair}".strip())
            found = routes.get(self.path.partition("?")[0])
            self.send_response(404 if found is None else 302 if isinstance(found, str) else 200)
            if isinstance(found, str):
                self.send_header("Location", found)
            body = found if isinstance(found, bytes) else b""
            self.send_header("ETag", f'"{len(body)}"')
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_GET = do_HEAD  # noqa: N815 - its name there

    with serving(Files) as url:
        yield url, asked


def written(root: Path) -> str:
    """Return the names and the contents of all files below a folder, of Parquet its rows and what is said of them too."""
    texts = []
    for path in (path for path in root.rglob("*") if path.is_file()):
        texts += [str(path), path.read_bytes().decode("latin-1")]
        if path.suffix == ".parquet":
            table = pq.read_table(path, partitioning=None)
            texts.append(f"{table.schema} {table.to_pylist()}")
    return "\n".join(texts)


@pytest.mark.parametrize(
    ("user", "query", "name"),
    [
        ("", f"?token={SECRET}", "?token=***"),
        ("", f"?y=1&X-Amz-Date=2&X-Amz-Signature={SECRET}", "?y=1"),
        (f"me:{SECRET}@", "", ""),
    ],
)
def test_a_secret_of_an_address_is_kept_nowhere(tmp_path: Path, user: str, query: str, name: str) -> None:
    """Manifest, parts' names, `_file`, rejects and their names know the file without it; the server is asked with it."""
    with files({"/a.csv": CSV}) as (url, asked):
        path = f"{url.replace('//', f'//{user}')}/a.csv{query}"
        source = files_source(path, columns={"x": "int"}, table={"provenance": True})

        table = make_table(tmp_path, source)

    file = f"{url.replace('//', '//***@') if user else url}/a.csv{name}"
    assert (table.rows_table, table.rows_rejected) == (1, 1)
    assert [row["_file"] for row in read_rows(tmp_path)] == [file]
    assert [row["file"] for row in read_rejects(tmp_path)] == [file]
    assert SECRET not in written(tmp_path)
    assert all(SECRET in request for request in asked)


def test_a_presigned_file_is_the_same_with_another_signature(tmp_path: Path) -> None:
    """Its rows are not counted once for each signature."""
    signed = "?X-Amz-Date={0}&X-Amz-Credential={0}/x&X-Amz-Signature={0}"
    with files({"/a.csv": CSV}) as (url, _):
        first = make_table(tmp_path, files_source(f"{url}/a.csv{signed.format('ab1')}"))
        second = make_table(tmp_path, files_source(f"{url}/a.csv{signed.format('cd2')}"))

    assert (first.rows_table, second.rows_table, second.files) == (2, 2, 1)


@pytest.mark.parametrize("path", ["/none.csv", "/moved.csv"])
def test_an_error_does_not_tell_a_secret(tmp_path: Path, path: str) -> None:
    """Neither of an address that is not there, nor of one that redirects to one with a secret of its own."""
    with files({"/moved.csv": f"/forbidden?token={SECRET}"}) as (url, _):
        address = f"{url.replace('//', f'//me:{SECRET}@')}{path}?access_token={SECRET}"

        with pytest.raises(TableError, match=r"//\*\*\*@127.*access_token=\*\*\*") as error:
            make_table(tmp_path, files_source(address))

    assert SECRET not in str(error.value)


def test_addresses_that_differ_in_a_secret_alone_are_refused(tmp_path: Path) -> None:
    """The second would take the place of the first without a word."""
    with (
        files({"/a.csv": CSV}) as (url, _),
        pytest.raises(
            TableError, match=r"a.csv\?token=\*\*\*: two addresses differ in nothing but what proves who asks"
        ),
    ):
        make_table(tmp_path, files_source([f"{url}/a.csv?token=a1", f"{url}/a.csv?token=b2"]))


def test_a_file_redirects_to_no_other_host(tmp_path: Path) -> None:
    """Nothing is asked there, and the cure names the host; within its own host, and to one that is allowed, it may."""
    with (
        files({"/b.csv": CSV}) as (other, asked),
        files({"/a.csv": f"{other}/b.csv", "/c.csv": "/d.csv", "/d.csv": CSV}) as (
            url,
            _,
        ),
    ):
        host = other.removeprefix("http://")

        with pytest.raises(
            TableError,
            match=rf"^{url}/a.csv: the redirect to '{other}/b.csv' leads to another host .* nothing was asked there; "
            rf"add {host} to allow_hosts if the source may go there$",
        ):
            make_table(tmp_path, files_source(f"{url}/a.csv"))
        assert asked == []

        assert make_table(tmp_path, files_source(f"{url}/a.csv", allow_hosts=[host])).rows_table == 2
        assert asked
        assert make_table(tmp_path, files_source(f"{url}/c.csv", on_missing="drop")).rows_table == 2


def test_a_secret_is_stored_with_no_run() -> None:
    """As JSON, which is what Prefect keeps of a run's parameters, a source has no secret; and it cannot be run from that."""
    source = files_source([f"https://me:{SECRET}@h/a.csv?sig={SECRET}", "inbox/*.csv"])

    stored: dict[str, Any] = source.model_dump(mode="json")

    assert stored["path"] == ["https://***@h/a.csv?sig=***", "inbox/*.csv"]
    with pytest.raises(
        ValueError, match=r"'https://\*\*\*@h/a.csv\?sig=\*\*\*' had a secret, which is not stored; run the"
    ):
        files_source(stored["path"])
    assert files_source("inbox/***.csv").path == ("inbox/***.csv",)
