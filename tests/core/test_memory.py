"""The memory that there is: the machine's, or what a control group leaves of it; and what this process keeps of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.core.memory import Memory, find_memory
from tasks.core.sql import half_of_memory

_MIB = 2**20
MACHINE = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def write(root: Path, **files: str) -> Path:
    """Write files of the system below a folder; `__` in a name is a slash, and `_` in front of one a dot."""
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_0", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_the_memory_of_this_machine_is_told() -> None:
    """No more than it has, and of that some is free."""
    found = find_memory()

    assert 0 < found.free <= found.total <= MACHINE


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param({}, Memory(MACHINE, MACHINE), id="a system that tells nothing"),
        pytest.param(
            {"proc__meminfo": "MemTotal: 9 kB\nMemAvailable:    2048 kB\n"}, Memory(MACHINE, 2 * _MIB), id="no group"
        ),
        pytest.param(
            {
                "proc__self__cgroup": "0::/a/b\n",
                "sys__fs__cgroup__a__b__memory_0max": "max\n",
                "sys__fs__cgroup__a__b__memory_0current": "7\n",
                "sys__fs__cgroup__a__memory_0max": "1000\n",
                "sys__fs__cgroup__a__memory_0current": "700\n",
                "sys__fs__cgroup__a__memory_0stat": "anon 500\ninactive_file 200\n",
            },
            Memory(1000, 500),
            id="a group above, whose cache of files is given back",
        ),
        pytest.param(
            {
                "proc__self__cgroup": "9:memory:/docker/x\n3:cpu:/docker/x\n",
                "sys__fs__cgroup__memory__memory_0limit_in_bytes": "1000\n",
                "sys__fs__cgroup__memory__memory_0usage_in_bytes": "1200\n",
            },
            Memory(1000, 0),
            id="a container of the first version, in which the host's path is not there",
        ),
        pytest.param(
            {
                "proc__self__cgroup": "no group\n4:cpu,memory:/x\n",
                "sys__fs__cgroup__cpu,memory__x__memory_0limit_in_bytes": "1000\n",
                "sys__fs__cgroup__cpu,memory__x__memory_0usage_in_bytes": "400\n",
            },
            Memory(1000, 600),
            id="a group of the first version, mounted with another, below a line that is none",
        ),
    ],
)
def test_a_control_group_limits_it(tmp_path: Path, files: dict[str, str], expected: Memory) -> None:
    """The smallest limit counts, wherever above the process it is set."""
    assert find_memory(write(tmp_path, **files)) == expected


def test_sql_takes_half_of_what_its_group_may(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the machine is more than a small container has: its query would be killed, and never spill."""
    monkeypatch.setattr("tasks.core.sql.find_memory", lambda: Memory(1024 * _MIB, 0))

    assert half_of_memory() == 512


_COUNT_FAULTS = """
import resource
from tasks.core.memory import keep_freed_memory

def count_faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(4):
        held = [bytearray(16 * 2**20) for _ in range(3)]
        del held
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

count_faults()
before = count_faults()
keep_freed_memory()
count_faults()
print(before, count_faults())
"""


@pytest.mark.skipif("CS_GNU_LIBC_VERSION" not in os.confstr_names, reason="another library allocates here")
@pytest.mark.parametrize(
    ("declared", "is_kept"),
    [
        pytest.param({}, True, id="nothing is declared"),
        pytest.param({"MALLOC_TRIM_THRESHOLD_": "131072", "MALLOC_MMAP_THRESHOLD_": "131072"}, False, id="declared"),
    ],
)
def test_freed_memory_is_kept_unless_the_environment_says_what_is(declared: dict[str, str], is_kept: bool) -> None:
    """What was freed is taken again without a page from the system; what a user declares of it is left."""
    others = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_", "LD_"))}
    told = subprocess.run(
        [sys.executable, "-c", _COUNT_FAULTS], env=others | declared, capture_output=True, text=True, check=True
    ).stdout
    before, after = map(int, told.split())

    assert before > 0
    assert (after < before / 10) == is_kept
