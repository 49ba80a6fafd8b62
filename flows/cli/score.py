"""What the command `score` does: the champion of a pipeline answers over HTTP until interrupted."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

import uvicorn
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp

from flows.cli.console import make_console, print_line
from flows.cli.models import name_of, trusted_by
from tasks.core.errors import ConfigError
from tasks.core.garbage_collection import tuned_gc
from tasks.core.storage import DataFolder
from tasks.train.scoring.endpoint import Endpoint, EndpointLimits
from tasks.train.scoring.scorer import Scorer

_BACKLOG = 2048
_ENDS_S = 5
_YOUNG_OBJECTS = 2_000  # collected in a millisecond, which no request notices
_THIS_MACHINE = ("127.0.0.1", "localhost", "[::1]")


def score_rows(pipeline: str, data: Path, address: tuple[str, int], limits: EndpointLimits, most_rows: int) -> int:
    """Answer by the pipeline's champion until interrupted; return the exit code.

    Raises:
        ConfigError: there is no such pipeline, no version of it serves, or nothing can listen there.
        TrainingError: the champion cannot be loaded.

    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # uvicorn ends at it, and then hands it on
    models, console = DataFolder.at(data).models(name_of(pipeline, data)), make_console()
    with suppress(KeyboardInterrupt), _listen(*address) as listener:  # the way to end it
        scorer = Scorer(models, most_rows, trusted_by(pipeline))
        app: ASGIApp = Endpoint(scorer, limits, lambda said: print_line(console, said)).app()
        version, host = scorer.serving.model.version, f"[{address[0]}]" if ":" in address[0] else address[0]
        url = f"http://{host}:{listener.getsockname()[1]}"
        print_line(console, f"{models.name} predicts {version.target} by {version.name} ({version.candidate}) at {url}")
        if scorer.warning is not None:
            print_line(console, f"warning: {scorer.warning}")
        # A page in a browser, whose name leads here, is not taken for this machine's own.
        if ip_address(listener.getsockname()[0]).is_loopback:
            app = TrustedHostMiddleware(app, allowed_hosts=[*_THIS_MACHINE, host])
        config = uvicorn.Config(
            app, log_level="error", access_log=False, ws="none", timeout_graceful_shutdown=_ENDS_S, backlog=_BACKLOG
        )
        with tuned_gc(_YOUNG_OBJECTS):
            uvicorn.Server(config).run(sockets=[listener])
    return 0


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except (OSError, OverflowError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else error
        raise ConfigError(
            f"--host {host} --port {port}: cannot listen there ({reason}); choose others, 0 is any free port"
        ) from None
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else every answer waits 40 ms
    return listener
