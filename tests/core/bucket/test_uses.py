"""What of a mirror stays where room is made."""

from __future__ import annotations

import os
import subprocess
import sys

from tasks.core.bucket.mirror import Mirror
from tasks.core.bucket.units import Unit
from tasks.core.bucket.uses import Uses
from tests.core.bucket.mirrors import RAW, put


def test_a_mirror_keeps_what_was_used_last(here: Mirror) -> None:
    """What is in the bucket goes where it is too much; what is not committed stays."""
    for number, name in enumerate(("old", "new", "dirty", "used")):
        put(here, {f"raw/{name}/a.json": "x" * 1000})
        here.commit(Unit("raw", name))
        os.utime(here.root / f".bucket/raw/{name}.json", (number, number))
    put(here, {"raw/dirty/b.json": "x"})

    uses = Uses(here.root)
    uses.add(Unit("raw", "used"))

    here.trim(1500)

    assert [path.name for path in sorted((here.root / "raw").glob("*/*.json"))] == ["a.json", "b.json", "a.json"]
    here.fetch(Unit("raw", "old"))
    assert (here.root / "raw/old/a.json").read_text() == "x" * 1000


_READER = """
import sys
from pathlib import Path
from tasks.core.bucket.units import Unit
from tasks.core.bucket.uses import Uses
uses = Uses(Path(sys.argv[1]))
uses.add(Unit("raw", "orders"))
print("reads", flush=True)
sys.stdin.read()
"""


def test_what_another_process_uses_stays_as_long_as_it_lives(here: Mirror) -> None:
    """However long ago it was fetched; one that was killed uses nothing any more, and leaves nothing."""
    put(here, {"raw/orders/a.json": "1"})
    here.commit(RAW)
    os.utime(here.root / ".bucket/raw/orders.json", (1, 1))
    with subprocess.Popen(
        [sys.executable, "-c", _READER, str(here.root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "reads\n"
        here.trim(0)
        stays = (here.root / "raw/orders/a.json").exists()
        reader.kill()

    here.trim(0)

    assert stays
    assert not (here.root / "raw/orders/a.json").exists()
    assert list((here.root / ".bucket/uses").iterdir()) == []
