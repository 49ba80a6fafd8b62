"""The memory that there is for this process: the machine's, or less of it where a container or a service is held to less; and what it keeps of it."""

from __future__ import annotations

import ctypes
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_ROOT = Path("/")
_AVAILABLE = re.compile(r"^MemAvailable:\s+(\d+) kB", re.MULTILINE)
_CACHE = re.compile(r"^(?:total_)?inactive_file (\d+)", re.MULTILINE)
_V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes")
_V2 = ("memory.max", "memory.current")
_KEPT_BYTES = {-3: 32 * 1024 * 1024, -1: 64 * 1024 * 1024}  # by M_MMAP_THRESHOLD and M_TRIM_THRESHOLD of malloc.h
_DECLARED = ("MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD")


@dataclass(frozen=True)
class Memory:
    """How much there is, and how much of it nobody holds, in bytes."""

    total: int
    free: int


def find_memory(root: Path = _ROOT) -> Memory:
    """Return the memory that this process may take, by the machine and by each control group that it is in.

    `root` is where the system's folders `proc` and `sys` are.
    """
    found = [_machine(root), *_groups(root)]
    return Memory(min(each.total for each in found), max(0, min(each.free for each in found)))


@cache
def keep_freed_memory() -> None:
    """Have this process keep up to 64 MiB of what a thread frees, where glibc allocates and the environment says nothing of it.

    The arrays of a block are freed and taken again step by step. As pages that the system has to clear anew each time
    they cost a tenth to a fifth of the processor time of a file of which all steps are needed.
    """
    if any(name.startswith(_DECLARED) for name in os.environ) or not _has_glibc():
        return
    set_option = ctypes.CDLL(None).mallopt
    for option, size in _KEPT_BYTES.items():
        set_option(option, size)


def _has_glibc() -> bool:
    if sys.platform != "linux":
        return False
    try:
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc")
    except (ValueError, OSError):  # as with musl
        return False


def _machine(root: Path) -> Memory:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    told = _AVAILABLE.search(_read(root / "proc" / "meminfo"))
    return Memory(total, int(told[1]) * 1024 if told else total)  # macOS has no such file


def _groups(root: Path) -> Iterator[Memory]:
    """Yield what the control groups of this process leave it; one without a limit says `max`, or a number beyond any memory."""
    for line in _read(root / "proc" / "self" / "cgroup").splitlines():
        _, kinds, path = (*line.split(":", 2), "", "")[:3]
        if kinds and "memory" not in kinds.split(","):
            continue
        top, names = root / "sys" / "fs" / "cgroup" / kinds, _V1 if kinds else _V2
        # In a container the path may be that of the host: what is there is the top alone.
        for place in (Path(path.strip("/")), *Path(path.strip("/")).parents):
            limit, held = (_read(top / place / name).strip() for name in names)
            if limit.isdigit() and held.isdigit():
                cache = _CACHE.search(
                    _read(top / place / "memory.stat")
                )  # which the system gives back when it is asked
                yield Memory(int(limit), int(limit) - int(held) + (int(cache[1]) if cache else 0))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
