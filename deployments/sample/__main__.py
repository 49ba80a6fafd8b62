"""The command `python -m deployments.sample`: write the inbox, then serve the sample site."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import TextIO

from deployments.sample.inbox import write_inbox
from deployments.sample.server import HOST, listen, site_server
from deployments.sample.site import sample_site
from tasks.core.bucket.opened import upload_folder
from tasks.core.child_process import exit_with_parent
from tasks.core.errors import TidemillError
from tasks.core.storage import DataFolder

PORT = 8765
TOKEN = "sample-token"  # noqa: S105 - the sample's data is public; the token shows how one is used


def main() -> int:
    """Run the command and return its exit code; an interrupt is the way to end it, so it is success."""
    arguments = _parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if arguments.parent:
        exit_with_parent()
    try:
        return _serve(DataFolder.at(arguments.data).root / "inbox", arguments.port)
    except KeyboardInterrupt:
        return 0
    except TidemillError as error:
        return _fail(str(error))


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m deployments.sample",
        description="Write the sample files below the data folder, then serve the sample site until interrupted.",
    )
    parser.add_argument("--data", type=Path, default=Path("data"), help="data folder (default: data)")
    parser.add_argument("--port", type=int, default=PORT, help=f"port on {HOST}; 0 takes a free one (default: {PORT})")
    parser.add_argument("--parent", action="store_true", help="also end when standard input ends")
    return parser.parse_args()


def _serve(inbox: Path, port: int) -> int:
    try:
        listener = listen(port)
    except (OSError, OverflowError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else error
        return _fail(f"port {port} on {HOST} cannot be served ({reason}); end what holds it or choose another: --port")
    with listener:
        try:
            write_inbox(inbox)
            upload_folder(inbox)
        except OSError as error:
            return _fail(f"the inbox {inbox} cannot be written ({error}); choose another data folder: --data")
        token = os.environ.get("SAMPLE_TOKEN", TOKEN)
        server = site_server(sample_site(token))
        # From here on a signal ends the server in order, even one that comes before it runs.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, server.handle_exit)
        # The socket listens already: requests that come between these lines are answered, too.
        _print(f"sample site on http://{HOST}:{listener.getsockname()[1]} (token: {token}); inbox in {inbox}")
        server.run(sockets=[listener])
    return 0


def _fail(sentence: str) -> int:
    _print(sentence, sys.stderr)
    return 1


def _print(sentence: str, stream: TextIO | None = None) -> None:
    print(sentence, file=stream, flush=True)


if __name__ == "__main__":
    sys.exit(main())
