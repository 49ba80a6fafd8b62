"""How a worker process of the pool begins and ends; imports nothing heavy, so that it comes first."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from multiprocessing.connection import wait

from tasks.core.isolation.client import call_at, stopping
from tasks.core.isolation.process import THREAD_VARIABLES


def start_worker(fit_server: str) -> None:
    """Prepare a worker: one thread for numeric work, Ctrl-C left to the parent, no life without the parent; `fit_server` is an address."""
    from tasks.core.unread_output import let_consoles_end  # noqa: PLC0415 - heavy

    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    let_consoles_end()
    threading.Thread(target=_end_with_parent, name="end-with-parent", daemon=True).start()
    call_at(lambda: fit_server)


def stop_workers() -> None:
    """End this process's workers at once; a fit that nobody waits for must not go on."""
    stopping.set()
    for child in multiprocessing.active_children():
        child.terminate()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
