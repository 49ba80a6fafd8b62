"""What runs write into a mirror, and what is in one."""

from __future__ import annotations

from tasks.core.bucket.mirror import Mirror
from tasks.core.bucket.units import Unit

ORDERS, RAW = Unit("tables", "orders"), Unit("raw", "orders")
AT = ".tables/orders"


def put(mirror: Mirror, files: dict[str, str]) -> None:
    """Write files of a mirror, as a run does."""
    for name, text in files.items():
        path = mirror.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def put_table(mirror: Mirror, number: int, parts: dict[str, str]) -> None:
    """Have a version of a table in a mirror, as convert commits it."""
    put(mirror, {f"{AT}/{number:06}/table/{name}": text for name, text in parts.items()})
    (mirror.root / AT / f"{number:06}/rejects").mkdir()
    put(mirror, {".manifests/orders.json": str(number), f"{AT}/.lock": "", f"{AT}/staged/table/x": "half"})
    for link, target in ((f"{AT}/current", f"{number:06}"), ("tables/orders", "../.tables/orders/current/table")):
        path = mirror.root / link
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        path.symlink_to(target)


def tree(mirror: Mirror) -> dict[str, tuple[str, int]]:
    """Return what is in a mirror: the texts of files with their times, the targets of links, and folders."""
    found: dict[str, tuple[str, int]] = {}
    for path in sorted(mirror.root.rglob("*")):
        name = path.relative_to(mirror.root).as_posix()
        if name.startswith(".bucket") or path.name == ".lock" or "staged" in name:
            continue
        if path.is_symlink():
            found[name] = str(path.readlink()), -1
        elif path.is_file():
            found[name] = path.read_text(), path.stat().st_mtime_ns
        else:
            found[name] = "", 0
    return found
