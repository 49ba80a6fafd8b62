"""Opening: files here and in stores, decompressed as far as they are whole."""

from __future__ import annotations

import bz2
import gzip
import io
import random
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import pyarrow as pa
import pytest

from tasks.convert.files import opening
from tasks.convert.files.opening import DamagedError, Stream, suffixes
from tasks.core.errors import TableError
from tests.convert.serving import Quiet, serving

RANDOM = random.Random(4)
TEXT = b"".join(b"%d,%d,%s\n" % (n, RANDOM.randrange(10**6), b"EWR" * (n % 5)) for n in range(2_000))
CUT_OFF = r"compression is damaged or cut off"


def zstd(data: bytes) -> bytes:
    """Return data as one zstd frame."""
    return bytes(pa.compress(data, codec="zstd", asbytes=True))


def zipped(method: int = zipfile.ZIP_DEFLATED, **members: bytes) -> bytes:
    """Return a .zip of these members; `a_csv` becomes `a.csv`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_", "."), content)
    return buffer.getvalue()


COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".zst": zstd,
    ".zip": lambda data: zipped(a_csv=data),
    "": bytes,
}


def read_all(path: Path | str, size: int = 1024, member: str | None = None) -> tuple[bytes, DamagedError | None]:
    """Return all that a stream gives, and what it ends in."""
    pieces = []
    with Stream(path, member) as stream:
        try:
            while piece := stream.read_some(size):
                assert len(piece) <= size
                pieces.append(piece)
        except DamagedError as error:
            assert not stream.is_intact
            return b"".join(pieces), error
    return b"".join(pieces), None


def put(folder: Path, name: str, content: bytes) -> Path:
    """Write a file."""
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("ending", COMPRESS)
@pytest.mark.parametrize("size", [1, 7, 1_000_000])
def test_what_was_compressed_comes_back(ending: str, size: int, tmp_path: Path) -> None:
    """Every compression gives its bytes, whatever the size of the reads."""
    path = put(tmp_path, f"a.csv{ending}", COMPRESS[ending](TEXT[:5_000] if size == 1 else TEXT))

    assert read_all(path, size) == (TEXT[:5_000] if size == 1 else TEXT, None)


@pytest.mark.parametrize("ending", [".gz", ".bz2", ".zst"])
def test_frames_one_after_another_are_one_file(ending: str, tmp_path: Path) -> None:
    """Members of a gzip and frames of a zstd, empty ones among them, are read to the last."""
    compress = COMPRESS[ending]
    path = put(tmp_path, f"a.csv{ending}", b"".join(map(compress, (b"", TEXT, b"", b"x", TEXT))))

    assert read_all(path) == (TEXT + b"x" + TEXT, None)


def test_a_skipped_zstd_frame_is_no_damage(tmp_path: Path) -> None:
    """What a writer of zstd keeps for itself, as parallel ones do, is passed over."""
    path = put(tmp_path, "a.csv.zst", b"\x50\x2a\x4d\x18\x04\0\0\0abcd" + zstd(TEXT))

    assert read_all(path) == (TEXT, None)


@pytest.mark.parametrize("ending", [".gz", ".bz2", ".zst"])
def test_a_compressed_file_of_no_bytes_is_empty(ending: str, tmp_path: Path) -> None:
    """An empty file has no rows, and no damage either."""
    assert read_all(put(tmp_path, f"a.csv{ending}", b"")) == (b"", None)


def test_padding_after_a_gzip_is_no_damage(tmp_path: Path) -> None:
    """NULs after the last member, as tapes have, are passed over; anything else is told."""
    assert read_all(put(tmp_path, "a.csv.gz", gzip.compress(TEXT) + bytes(1024))) == (TEXT, None)

    text, error = read_all(put(tmp_path, "b.csv.gz", gzip.compress(TEXT) + b"<html>"))

    assert (text, str(error)) == (TEXT, f"its .gz {CUT_OFF} (Not a gzipped file (b'<h'))")


def test_a_gzip_that_is_cut_loses_no_byte(tmp_path: Path) -> None:
    """Wherever it is cut, all that its bytes tell comes out before the damage is told."""
    whole = gzip.compress(TEXT) + gzip.compress(TEXT)
    for cut in range(1, len(whole), 100):
        text, error = read_all(put(tmp_path, "a.csv.gz", whole[:cut]), 1 << 20)
        first = zlib.decompressobj(31)
        expected = first.decompress(whole[:cut])
        if first.eof:
            expected += zlib.decompressobj(31).decompress(first.unused_data)

        assert text == expected
        assert (error is None) == (first.eof and not first.unused_data)
        assert error is None or error.offset == cut


@pytest.mark.parametrize("ending", [".bz2", ".zst"])
def test_what_is_cut_keeps_its_whole_blocks(ending: str, tmp_path: Path) -> None:
    """A file cut near its end keeps all of its blocks but the last."""
    text = random.Random(5).randbytes(1_200_000).hex().encode()  # three blocks of bzip2, and nineteen of zstd
    whole = COMPRESS[ending](text)

    found, error = read_all(put(tmp_path, f"a.csv{ending}", whole[:-5_000]), 1 << 20)

    assert text.startswith(found)
    assert len(found) >= len(text) - {".bz2": 900_000, ".zst": 140_000}[ending]
    assert error is not None
    assert str(error).startswith(f"its {ending} {CUT_OFF} (Compressed file ended before")


@pytest.mark.parametrize("ending", [".gz", ".zip"])
def test_a_wrong_checksum_loses_no_byte(ending: str, tmp_path: Path) -> None:
    """Where only the checksum tells of a damage, every byte is given before it is told."""
    whole = bytearray(COMPRESS[ending](TEXT))
    place = -8 if ending == ".gz" else whole.find(b"PK\1\2") + 16
    whole[place] ^= 0xFF

    text, error = read_all(put(tmp_path, f"a.csv{ending}", bytes(whole)), 1 << 20)

    assert text == TEXT
    assert error is not None


@pytest.mark.parametrize("ending", [".gz", ".zip"])
def test_bytes_overwritten_keep_what_is_before_them(ending: str, tmp_path: Path) -> None:
    """A damage in the middle leaves all that stands before it, and is told."""
    compressed = bytearray(COMPRESS[ending](TEXT))
    place = len(compressed) // 2
    compressed[place : place + 500] = b"\xff" * 500

    text, error = read_all(put(tmp_path, f"a.csv{ending}", bytes(compressed)), 1 << 20)

    assert text[:15_000] == TEXT[:15_000]
    assert error is not None


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_a_member_is_read_by_its_name(method: int, tmp_path: Path) -> None:
    """Of several members the declared one is read, however it is packed."""
    path = put(tmp_path, "a.zip", zipped(method, a_csv=b"a" * 99, b_csv=TEXT))

    assert read_all(path, member="b.csv") == (TEXT, None)
    with Stream(path, "b.csv") as stream:
        assert stream.member == "b.csv"


def test_which_member_is_meant_is_asked(tmp_path: Path) -> None:
    """Several members without a name, or a name that is none of them, are one error that lists them."""
    path = put(tmp_path, "a.zip", zipped(a_csv=b"", b_csv=b""))

    with pytest.raises(TableError, match=r"^holds 2 files \(a.csv, b.csv\); name one as read.member$"):
        Stream(path)
    with pytest.raises(TableError, match=r"^holds no file 'c.csv' but a.csv, b.csv; correct read.member$"):
        Stream(path, "c.csv")
    with pytest.raises(TableError, match=r"^holds 0 files \(none\); name one as read.member$"):
        Stream(put(tmp_path, "b.zip", zipped()))


def test_what_is_no_whole_zip_is_told(tmp_path: Path) -> None:
    """A .zip is told by its end: cut off, encrypted or packed in an unknown way, it is one error."""
    whole = zipped(a_csv=TEXT)
    encrypted, unknown = bytearray(whole), bytearray(whole)
    directory = whole.find(b"PK\1\2")
    encrypted[directory + 8] |= 1
    unknown[directory + 10] = 97

    with pytest.raises(TableError, match=r"^is not a whole .zip \(.*\); fetch the file again$"):
        Stream(put(tmp_path, "a.zip", whole[:-30]))
    with pytest.raises(TableError, match=r"'a.csv' is encrypted; decompress it first$"):
        Stream(put(tmp_path, "a.zip", bytes(encrypted)))
    with pytest.raises(TableError, match=r"'a.csv' is compressed in a way that is not known; decompress it first$"):
        Stream(put(tmp_path, "a.zip", bytes(unknown)))


@pytest.mark.parametrize("ending", sorted(COMPRESS.keys() - {""}))
def test_a_bomb_is_refused(ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What expands beyond measure is stopped where that shows; as long as it is small, it may."""
    monkeypatch.setattr(opening, "BOMB_BYTES", 8 * 1024 * 1024)
    small = put(tmp_path, f"small.csv{ending}", COMPRESS[ending](bytes(8 * 1024 * 1024)))
    bomb = put(tmp_path, f"bomb.csv{ending}", COMPRESS[ending](bytes(16 * 1024 * 1024)))

    assert read_all(small, 1 << 20)[1] is None
    with pytest.raises(TableError, match=r"^holds more than 500 times what it takes up.*decompress it first$"):
        read_all(bomb, 1 << 20)


def test_what_cannot_be_opened_is_one_sentence(tmp_path: Path) -> None:
    """A folder, a file that is gone, and an address that nobody knows, each say what to do."""
    (tmp_path / "x.csv").mkdir()

    with pytest.raises(TableError, match=r"^cannot be read \(Is a directory\); check the file and its permissions$"):
        Stream(tmp_path / "x.csv")
    with pytest.raises(TableError, match=r"^is gone since it was listed; run again$"):
        Stream(tmp_path / "y.csv")
    with pytest.raises(TableError, match=r"^is gone since it was listed; run again$"):
        Stream("memory://nowhere/y.csv")
    with pytest.raises(TableError, match=r"nosuch"):
        Stream("nosuch://bucket/y.csv")


def test_a_store_that_needs_a_package_says_which() -> None:
    """The packages of stores are not installed with Tidemill: the error has the command."""
    with pytest.raises(TableError, match="pip install gcsfs"):
        Stream("gs://b/x.csv")


@pytest.mark.parametrize("ending", COMPRESS)
def test_a_store_is_read_as_a_folder_is(ending: str) -> None:
    """An address that fsspec knows gives its bytes, decompressed."""
    url = f"memory://opening/a.csv{ending}"
    with fsspec.open(url, "wb") as file:
        file.write(COMPRESS[ending](TEXT))

    assert read_all(url) == (TEXT, None)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Serve the text compressed as a path's ending says: /whole with its length, /chunked without, /drop half of it."""

    class Server(Quiet):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:  # noqa: N802 - its name there
            if self.path.startswith("/secret"):
                self.send_error(403)
                return
            content = COMPRESS[self.path.split("?")[0].partition(".csv")[2]](TEXT * 20)
            self.send_response(200)
            if self.path.startswith("/encoded"):
                self.send_header("Content-Encoding", "gzip")
            if self.path.startswith("/chunked"):
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for start in range(0, len(content), 10_000):
                    chunk = content[start : start + 10_000]
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
                self.wfile.write(b"0\r\n\r\n")
                return
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if self.path.startswith("/drop") else content)
            self.close_connection = True

        def do_HEAD(self) -> None:  # noqa: N802 - its name there
            self.send_response(405)
            self.send_header("Content-Length", "0")
            self.end_headers()

    with serving(Server) as url:
        yield url


@pytest.mark.parametrize("route", ["/whole", "/chunked"])
@pytest.mark.parametrize("ending", COMPRESS)
def test_a_server_needs_neither_ranges_nor_lengths(server: str, route: str, ending: str) -> None:
    """A file is read as it comes, to its end, however small the pieces in which it does."""
    assert read_all(f"{server}{route}.csv{ending}?token=1", 1 << 22) == (TEXT * 20, None)


def test_a_gzip_that_a_server_calls_an_encoding_is_read(server: str) -> None:
    """Some servers have files decoded on their way: there is no compression left then."""
    assert read_all(f"{server}/encoded.csv.gz", 1 << 22) == (TEXT * 20, None)


def test_what_a_server_refuses_is_one_sentence(server: str) -> None:
    """A page that may not be read is told with what the server said."""
    with pytest.raises(TableError, match=r"^cannot be read \(403.*\); check the address and the credentials$"):
        Stream(f"{server}/secret.csv")


def test_a_connection_that_breaks_is_no_damage(server: str) -> None:
    """What a server did not send may come when it is asked again: it is an error, and no reject."""
    with pytest.raises(TableError, match=r"^cannot be read \(.*\); check the file and its permissions$"):
        read_all(f"{server}/drop.csv.gz", 1 << 22)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.csv", (".csv", "")),
        ("in/a.b.CSV.GZ", (".csv", ".gz")),
        ("a", ("", "")),
        ("a.zip", ("", ".zip")),
        ("https://h/a.csv.gz?token=x.y#z", (".csv", ".gz")),
        ("s3://b/a?.jsonl.zst", (".jsonl", ".zst")),
        ("what?.csv", (".csv", "")),
    ],
)
def test_endings_tell_format_and_compression(name: str, expected: tuple[str, str]) -> None:
    """The endings of a path, also of an address that asks for something, are told in lower case."""
    assert suffixes(name) == expected
