"""An S3 server on this machine, which processes of their own reach as they would reach a cloud's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
import s3fs
from moto.server import ThreadedMotoServer

BUCKET = "tidemill"


@contextmanager
def serving_s3() -> Iterator[str]:
    """Yield the address of an empty bucket, for this process and those it starts."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        host, port = server.get_host_and_port()
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        try:
            httpx.post(f"http://{host}:{port}/moto-api/reset").raise_for_status()  # a server before left its buckets
            s3fs.S3FileSystem.clear_instance_cache()
            s3fs.S3FileSystem().mkdir(BUCKET)
            yield f"s3://{BUCKET}"
        finally:
            server.stop()
            s3fs.S3FileSystem.clear_instance_cache()
