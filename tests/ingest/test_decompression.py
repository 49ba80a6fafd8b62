"""Compressed bodies: whatever way they are cut into parts, they become what they were, or are an error."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.errors import PermanentSourceError
from tasks.ingest.http.decompression import Decompression
from tests.ingest.sources import QUICK, api, land_one, read_rows
from tests.site.api import bomb
from tests.site.items import ITEMS
from tests.site.server import Site


def deflate_bare(data: bytes) -> bytes:
    """Return what some servers call deflate: without zlib's frame."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "GZIP": lambda data: gzip.compress(data[:7]) + gzip.compress(data[7:]),
    "gzip ": lambda data: gzip.compress(data) + bytes(5),
    "deflate": zlib.compress,
    "Deflate": deflate_bare,
    "gzip, deflate": lambda data: zlib.compress(gzip.compress(data)),
    "br": lambda data: pa.compress(data, codec="brotli", asbytes=True),
    "zstd": lambda data: pa.compress(data, codec="zstd", asbytes=True),
    "gzip, br": lambda data: pa.compress(gzip.compress(data), codec="brotli", asbytes=True),
    "zstd, gzip": lambda data: gzip.compress(pa.compress(data, codec="zstd", asbytes=True)),
    "identity": bytes,
    "utf-8": bytes,
    "": bytes,
}


def decompress(encoding: str, body: bytes, size: int) -> bytes:
    """Return a body decompressed in parts of so many bytes."""
    undone = Decompression(encoding)
    parts = [part for at in range(0, len(body), size) for part in undone.feed(body[at : at + size])]
    return b"".join([*parts, *undone.end()])


@given(
    encoding=st.sampled_from(list(CODINGS)),
    data=st.binary(max_size=300),
    size=st.integers(1, 400),
    times=st.sampled_from([1, 2000]),
)
def test_a_body_becomes_what_it_was(encoding: str, data: bytes, size: int, times: int) -> None:
    """Any coding, several members, padding, and parts of any size."""
    body = CODINGS[encoding](data * times)

    assert decompress(encoding, body, max(size, len(body) // 50)) == data * times


@given(
    encoding=st.sampled_from(["gzip", "GZIP", "deflate", "Deflate", "gzip, deflate", "br", "zstd"]),
    data=st.binary(min_size=8, max_size=300),
    missing=st.integers(1, 8),
)
def test_a_body_that_is_cut_off_is_an_error(encoding: str, data: bytes, missing: int) -> None:
    """Every compression shows where it ends: without the last of it, it is not whole."""
    body = CODINGS[encoding](data)[:-missing]

    with pytest.raises(zlib.error):
        decompress(encoding, body, 100)


@pytest.mark.parametrize(
    "body", [b"rubbish", b"\x1f", b"\x1f\x8b\x08", gzip.compress(b"text", mtime=0)[:-6] + b"sumsum"]
)
def test_a_body_that_is_something_else_is_an_error(body: bytes) -> None:
    """What is not gzip, or has another sum, is not passed on as if it were whole."""
    with pytest.raises(zlib.error):
        decompress("gzip", body, 100)


def test_a_bomb_comes_in_small_parts() -> None:
    """However much a part of a body becomes, no more than 64 KiB of it are in memory at once."""
    undone = Decompression("gzip")

    largest = max(len(part) for part in undone.feed(bomb()[:64_000]))

    assert largest == 64 * 1024


def test_nothing_at_all_is_whole() -> None:
    """An answer without a body, as one of 304, may name a coding all the same."""
    assert decompress("gzip", b"", 100) == b""


@pytest.mark.parametrize("coding", ["br", "zstd"])
async def test_a_body_in_a_coding_that_was_not_asked_for_is_read(site: Site, tmp_path: Path, coding: str) -> None:
    """Some servers compress as they like, whatever Accept-Encoding says."""
    landed = await land_one(api(site, f"/paged/{coding}"), tmp_path)

    assert read_rows(landed.path) == ITEMS


@pytest.mark.parametrize("coding", ["br", "zstd"])
async def test_a_bomb_in_another_coding_is_stopped(site: Site, tmp_path: Path, coding: str) -> None:
    """What a body becomes is bounded, in any coding."""
    source = api(site, f"/paged/{coding}-bomb", requests=QUICK | {"max_body_bytes": 2**20})

    with pytest.raises(PermanentSourceError, match=r"max_body_bytes \(1,048,576\): it goes on after decompression"):
        await land_one(source, tmp_path)


@pytest.mark.parametrize("coding", ["br", "zstd"])
async def test_a_compressed_body_that_goes_on_is_stopped(site: Site, tmp_path: Path, coding: str) -> None:
    """What is sent is bounded too, before anything has come of it, and is not asked for again."""
    source = api(site, f"/paged/{coding}-huge", requests=QUICK | {"max_body_bytes": 2**20})

    with pytest.raises(PermanentSourceError, match=r"max_body_bytes \(1,048,576\): it goes on"):
        await land_one(source, tmp_path)

    assert len(set(site.paths)) == len(site.paths)


async def test_a_coding_that_is_not_known_is_named(site: Site, tmp_path: Path) -> None:
    """Bytes of another compression are not shown as a text that is not JSON."""
    with pytest.raises(
        PermanentSourceError, match=r"Content-Encoding is 'compress', and compress is not known here; have the server"
    ):
        await land_one(api(site, "/paged/compress"), tmp_path)
