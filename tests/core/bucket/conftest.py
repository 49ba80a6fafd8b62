"""A bucket on this machine, and the mirrors of two hosts of a data folder in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tasks.core.bucket.mirror import Mirror
from tests.stores import serving_s3


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """Return the address of a bucket."""
    with serving_s3() as address:
        yield address


@pytest.fixture
def address(bucket: str) -> str:
    """Return the address of a data folder in it."""
    return f"{bucket}/{uuid4().hex}"


@pytest.fixture
def here(address: str, tmp_path: Path) -> Mirror:
    """Return the mirror of one host."""
    return Mirror.make(tmp_path / "here", address)


@pytest.fixture
def there(address: str, tmp_path: Path) -> Mirror:
    """Return the mirror of another host."""
    return Mirror.make(tmp_path / "there", address)
