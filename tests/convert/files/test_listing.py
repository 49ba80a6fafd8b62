"""Listing: the files of folders, globs and addresses, each once."""

from __future__ import annotations

import cProfile
import logging
import os
import tomllib
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from tasks.convert.files.listing import list_local, list_remote, would_list
from tasks.core.errors import TableError
from tasks.core.remote_storage import missing_package
from tests.convert.serving import Quiet, serving


def names(path: str, root: Path) -> list[str]:
    """Return what is listed, below the root."""
    return sorted(os.path.relpath(file.path, root) for file in list_local(path, root))


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """Return a folder with an inbox of all kinds of entries."""
    for name in (
        "a.csv",
        "b.CSV.GZ",
        "c.zip",
        "notes.pdf",
        "d.tar.gz",
        ".hidden.csv",
        "deep/er/e.jsonl",
        ".git/f.csv",
        "[g]/h.csv",
    ):
        path = tmp_path / "inbox" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "inbox" / "x.csv").mkdir()
    (tmp_path / "inbox" / "loop").symlink_to(tmp_path / "inbox")
    os.mkfifo(tmp_path / "inbox" / "pipe.csv")
    return tmp_path


def test_a_store_of_an_extra_names_it() -> None:
    """The extra that the sentence names is one of the package's, and brings what is missing."""
    said = missing_package("s3://b/a.csv", ImportError())

    extras = tomllib.loads(Path("pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert said == "s3://b/a.csv: s3:// needs a package that is not there; pip install 'tidemill[s3]'"
    assert "s3fs" in [requirement.partition(">")[0] for requirement in extras["s3"]]


def test_a_folder_is_all_its_files_of_known_formats(inbox: Path) -> None:
    """Hidden entries, other formats, folders named like files and links to folders above are left out."""
    expected = ["inbox/[g]/h.csv", "inbox/a.csv", "inbox/b.CSV.GZ", "inbox/c.zip", "inbox/deep/er/e.jsonl"]

    assert names("inbox", inbox) == expected
    assert [file.path for file in list_local(f"{inbox}/inbox/deep", Path("/"))] == [f"{inbox}/inbox/deep/er/e.jsonl"]


def test_a_glob_takes_what_it_says(inbox: Path) -> None:
    """A glob takes files of any ending, each once, and nothing that is no file."""
    assert names("inbox/*", inbox) == [
        "inbox/a.csv",
        "inbox/b.CSV.GZ",
        "inbox/c.zip",
        "inbox/d.tar.gz",
        "inbox/notes.pdf",
    ]
    assert names("inbox/**/*.csv", inbox) == ["inbox/[g]/h.csv", "inbox/a.csv"]
    assert names("inbox/[g]", inbox) == names("inbox/[[]g]/*", inbox) == ["inbox/[g]/h.csv"]
    assert names("inbox/a.csv", inbox) == ["inbox/a.csv"]
    assert names("inbox/z.csv", inbox) == names("nowhere", inbox) == names("inbox/pipe.csv", inbox) == []


def test_size_and_time_are_those_of_the_file(inbox: Path) -> None:
    """What tells a file that changed is taken as the file is listed."""
    (file,) = list_local("inbox/a.csv", inbox)
    status = (inbox / "inbox" / "a.csv").stat()

    assert (file.size, file.mtime_ns) == (status.st_size, status.st_mtime_ns)


def test_a_link_that_leads_nowhere_is_told(inbox: Path) -> None:
    """What was to be read and is not there is no reason to go on without it."""
    (inbox / "inbox" / "gone.csv").symlink_to(inbox / "nowhere.csv")

    for path in ("inbox", "inbox/*.csv"):
        with pytest.raises(
            TableError, match=r"gone.csv: is a link to a file that is not there; mend the link, or delete it"
        ):
            names(path, inbox)


@pytest.mark.parametrize("path", [".", "*.csv"])
def test_thousands_of_files_are_listed_in_no_time(tmp_path: Path, path: str) -> None:
    """A folder is gone through once, and each of its files asked once: ten times the files are ten times the calls."""
    calls = []
    for files in (200, 2_000):
        for number in range(files):
            os.close(os.open(tmp_path / f"{number}.csv", os.O_CREAT))
        profile = cProfile.Profile()
        assert len(profile.runcall(lambda: list(list_local(path, tmp_path)))) == files
        calls.append(sum(each.callcount for each in profile.getstats()))

    assert calls[1] < 11 * calls[0]
    assert calls[1] < 100 * 2_000


def test_a_store_is_listed_as_a_folder_is() -> None:
    """A folder of a store is all its files of known formats; a glob takes what it says; a run later there may be more."""
    system = fsspec.filesystem("memory")
    for name in ("a.csv", "sub/b.csv.gz", ".c.csv", ".d/e.csv", "f.pdf"):
        system.pipe(f"/listing/{name}", name.encode())

    assert [file.url for file in list_remote("memory://listing")] == [
        "memory:///listing/a.csv",
        "memory:///listing/sub/b.csv.gz",
    ]
    assert [file.url for file in list_remote("memory://listing/*.pdf")] == ["memory:///listing/f.pdf"]
    assert [file.size for file in list_remote("memory://listing/sub/b.csv.gz")] == [len("sub/b.csv.gz")]
    assert list(list_remote("memory://nowhere")) == list(list_remote("memory://nowhere/*.csv")) == []

    (before,) = list_remote("memory://listing/a.csv")
    system.pipe("/listing/a.csv", b"A.csv")
    (after,) = list_remote("memory://listing/a.csv")
    assert before != after
    assert [after] == list(list_remote("memory://listing/a.csv"))


def test_what_cannot_be_listed_is_one_sentence() -> None:
    """A store whose package is missing, that is not known or does not answer, says what to do."""
    with pytest.raises(
        TableError, match=r"^gs://b/\*.csv: gs:// needs a package that is not there; pip install gcsfs$"
    ):
        list(list_remote("gs://b/*.csv"))
    assert logging.getLogger("gcsfs").level == logging.CRITICAL  # it logs tracebacks of what is told so
    with pytest.raises(
        TableError, match=r"^nosuch://b: cannot be listed \(.*\); check the address and the credentials$"
    ):
        list(list_remote("nosuch://b"))
    with pytest.raises(TableError, match=r"^http://127.0.0.1:9/a.csv: cannot be listed \(.*\); check the address"):
        list(list_remote("http://127.0.0.1:9/a.csv"))


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Serve /tagged with an ETag, /dated with a date, /bare with neither, and nothing else."""

    class Server(Quiet):
        def do_HEAD(self) -> None:  # noqa: N802 - its name there
            known = self.path.startswith(("/tagged", "/dated", "/bare"))
            self.send_response(200 if known else 403 if self.path.startswith("/secret") else 404)
            self.send_header("Content-Length", "4")
            if self.path.startswith("/tagged"):
                self.send_header("ETag", f'"{self.path}"')
            if self.path.startswith("/dated"):
                self.send_header("Last-Modified", "Thu, 31 Jan 2013 05:06:07 GMT")
            self.end_headers()

        do_GET = do_HEAD  # noqa: N815 - its name there

    with serving(Server) as url:
        yield url


def test_what_a_server_tells_is_a_files_version(server: str) -> None:
    """A tag or a date tells whether a file changed; where a server tells neither it always may have."""
    (tagged,), (dated,), (bare,) = (
        list(list_remote(f"{server}/{route}.csv?a=*")) for route in ("tagged", "dated", "bare")
    )

    assert (tagged.url, tagged.size, tagged.version) == (f"{server}/tagged.csv?a=*", 4, '"/tagged.csv?a=*"')
    assert dated.version == "Thu, 31 Jan 2013 05:06:07 GMT"
    assert bare != next(list_remote(bare.url))
    assert list(list_remote(f"{server}/other.csv")) == []
    with pytest.raises(
        TableError, match=r"/secret.csv: cannot be listed \(403.*\); check the address and the credentials"
    ):
        list(list_remote(f"{server}/secret.csv"))


@pytest.mark.parametrize("path", ["inbox", "inbox/*.csv", "inbox/**/*.csv"])
def test_a_link_leads_out_of_no_folder(inbox: Path, path: str) -> None:
    """Whoever may write into an inbox does not choose which other files are read; what `path` names itself may be a link."""
    secret = inbox / "secret.csv"
    secret.write_text("x\n1\n")
    (inbox / "inbox" / "way_out.csv").symlink_to(secret)

    with pytest.raises(
        TableError, match=r"way_out.csv: is a link that leads out of .*/inbox, to .*/secret.csv; name that"
    ):
        list(list_local(path, inbox))
    assert [file.path for file in list_local("inbox/way_out.csv", inbox)] == [str(inbox / "inbox" / "way_out.csv")]


def test_a_folder_that_is_a_link_leads_out_of_no_folder(inbox: Path) -> None:
    """Neither below a folder nor by a glob."""
    (inbox / "elsewhere").mkdir()
    (inbox / "elsewhere" / "b.csv").write_text("x\n1\n")
    (inbox / "inbox" / "more").symlink_to(inbox / "elsewhere")

    for path in ("inbox", "inbox/*/*.csv"):
        with pytest.raises(TableError, match="more: is a link that leads out of"):
            list(list_local(path, inbox))


def test_a_link_within_a_folder_is_followed(inbox: Path) -> None:
    """And a folder that is a link itself may be named."""
    (inbox / "inbox" / "again.csv").symlink_to(next(path for path in (inbox / "inbox").rglob("*.csv")))
    (inbox / "by_link").symlink_to(inbox / "inbox")

    assert str(inbox / "by_link" / "again.csv") in [file.path for file in list_local("by_link", inbox)]
    assert str(inbox / "by_link" / "again.csv") in [file.path for file in list_local("by_link/*.csv", inbox)]


@pytest.mark.parametrize(
    ("path", "file", "is_listed"),
    [
        ("inbox", "inbox/a/b.csv", True),
        ("inbox", "inboxes/b.csv", False),
        ("inbox/a.csv", "inbox/a.csv", True),
        ("inbox/*.csv", "inbox/a.csv", True),
        ("inbox/*.csv", "inbox/b/a.csv", False),
        ("*.csv", "inbox/a.csv", False),
        ("inbox/**/*.csv", "inbox/a.csv", True),
        ("inbox/**/*.csv", "inbox/b/c/a.csv", True),
        ("inbox/**/*.csv", "inbox/b/c/a.json", False),
        ("in[bx]ox/**", "inbox/b/c/a.json", True),
        ("inbox/*.csv", "inbox/a.CSV", False),
    ],
)
def test_it_is_known_what_would_be_listed(tmp_path: Path, path: str, file: str, is_listed: bool) -> None:
    """Of a file that is not there, as of one that is."""
    assert would_list(path, tmp_path, tmp_path / file) == is_listed
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text("a")
    assert any(each.path == str(tmp_path / file) for each in list_local(path, tmp_path)) == is_listed
