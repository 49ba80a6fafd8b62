"""The demo: the sample site as a child process, and the flights pipeline against it."""

from __future__ import annotations

import os
import re
import socket
import zlib
from pathlib import Path

from flows.cli.run import run_pipeline
from flows.summary import RunOptions
from tasks.core.child_process import first_line, start_child, stop_child
from tasks.core.errors import ConfigError, TidemillError
from tasks.core.storage import DataFolder

PIPELINE = Path(__file__).parents[2] / "deployments" / "flights" / "pipeline.yaml"

_HOST = "127.0.0.1"
_PORTS = range(20_000, 30_000)  # below those that systems give to outgoing connections
_ANNOUNCED = re.compile(r"(?P<site>http://\S+) \(token: (?P<token>[^)]+)\)")


def run_demo(data: Path, *, verbose: bool) -> int:
    """Run the flights pipeline against the sample site; return the exit code.

    Raises:
        ConfigError: the data folder is none.
        TidemillError: the sample site did not start, or the run failed.

    """
    if mistake := DataFolder.find_mistake(data):
        raise ConfigError(mistake)
    site = start_child("deployments.sample", "--data", str(data), "--port", str(_choose_port(data)), "--parent")
    try:
        said = _ANNOUNCED.search(first_line(site))
        if said is None:
            raise TidemillError("the sample site did not start; see what it says with: python -m deployments.sample")
        os.environ["SAMPLE_SITE"], os.environ["SAMPLE_TOKEN"] = said["site"], said["token"]
        return run_pipeline(PIPELINE, data, RunOptions(), verbose=verbose)
    finally:
        stop_child(site)


def _choose_port(data: Path) -> int:
    """Return the same free port for the same data folder.

    The address is part of what makes a landed partition current: on another
    port everything would be fetched again.
    """
    port = _PORTS[zlib.crc32(str(data.absolute()).encode()) % len(_PORTS)]
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError:
            return 0
    return port
