"""How fast ingest is, as ratios to its peers within one run, and how it treats servers that limit it."""

from __future__ import annotations

from collections.abc import Iterator

from tests.benchmarks.details import AGAIN
from tests.benchmarks.job import IN_FLIGHT, End, Report
from tests.benchmarks.rig import Rig, Seconds, open_rig
from tests.benchmarks.server import (
    ABOVE_IN_FLIGHT,
    ABOVE_PER_S,
    LATENCY_S,
    MAX_IN_FLIGHT,
    MAX_PER_S,
    PAGE_ITEMS,
    SITEMAP,
)
from tests.benchmarks.table import Line, describe_machine, draw_table

PAGES = 3_000
ROUNDS = 3  # of what takes about a second; the median counts
ARTICLE_LIMIT_S = 60.0  # it takes 200 s; its limit needs no more than this
MANY = 10  # times the pages, to see whether cost is linear
SETTLED_S = 10  # the throttle's time to find what the server allows
THROTTLED_S = 25  # of requests at full capacity, in the pages to fetch
THROTTLED_LIMIT_S = 45.0

# what ingest may take, as a share of another's time
SHARES = {
    "bare": 1.5,
    "dlt_files": 1 / 3,
    "dlt_details": 1 / 3,
    "scrapy_feed": 1 / 5,
    "scrapy_sitemap": 1 / 5,
    "article": 1 / 20,
}
MANY_TIMES = 11.0
PARTS = 1_000
PARTS_TIMES = 1.5
DETAILS_TIMES = 1.15
DETAILS_TASK_RUNS = 100
KNOWN = 10_000
KNOWN_LIMIT_S = 300.0
PEAK_MEBIBYTES = 300
TASK_RUNS = 200
CAPACITY = 0.85
REFUSED = 0.05

_NAMES = {
    "bare": f"bare aiohttp loop, {IN_FLIGHT} in flight",
    "dlt_files": f"dlt, {IN_FLIGHT} workers",
    "dlt_details": f"dlt, {IN_FLIGHT} workers, the same list and details",
    "scrapy_feed": f"Scrapy, {IN_FLIGHT} concurrent",
    "scrapy_sitemap": f"Scrapy's SitemapSpider, {IN_FLIGHT} concurrent",
    "article": "the article's asyncio.gather over httpx, without its timeout",
}
_DETAILS = "tests.benchmarks.details"
_PACKAGES = ("tidemill", "prefect", "aiohttp", "httpx", "dlt", "scrapy")
_MEBIBYTE = 2**20
_FROM_DEFAULT = {"max_in_flight": IN_FLIGHT}
_AT_ONCE = {**_FROM_DEFAULT, "start_in_flight": IN_FLIGHT}


def measure_ingest() -> str:
    """Measure ingest and its peers, and return the table."""
    machine = describe_machine(_PACKAGES)
    with open_rig() as rig:
        lines = list(_measure(rig))
    setting = (
        f"A local server with {LATENCY_S * 1000:.0f} ms latency, {PAGE_ITEMS} records a page; "
        f"{PAGES:,} pages and up to {IN_FLIGHT} requests in flight unless the line says otherwise."
    )
    return f"{machine}\n{setting}\n\n{draw_table(lines)}"


def _measure(rig: Rig) -> Iterator[Line]:
    bare, ours, empty = [], [], []
    for _ in range(ROUNDS):  # in turns: what else the machine does meets all alike
        bare.append(rig.run("tests.benchmarks.peers.bare", PAGES))
        ours.append(rig.ingest(PAGES, _AT_ONCE)[0])
        empty.append(rig.ingest(1, _AT_ONCE)[0])
    middle = _median(ours)
    yield Line(f"ingest, rows committed, median of {ROUNDS}", _time(middle))
    yield Line("of these, what an ingest of one page takes", _time(_median(empty)))
    from_default = rig.ingest(PAGES, _FROM_DEFAULT)[0]
    yield Line("ingest that starts with fewer in flight, as by default", _time(from_default))
    yield from _compare(middle, "bare", _median(bare))
    yield from _measure_tls(rig)
    yield from _measure_parts(rig, middle)
    yield from _measure_details(rig, middle)
    for peer, limit_s in (("dlt_files", 120.0), ("scrapy_feed", 120.0), ("article", ARTICLE_LIMIT_S)):
        yield from _compare(middle, peer, rig.run(f"tests.benchmarks.peers.{peer}", PAGES, limit_s))
    yield from _measure_sitemap(rig)
    yield from _measure_many(rig, middle)
    yield from _measure_throttle(rig, ABOVE_IN_FLIGHT, round(MAX_IN_FLIGHT / LATENCY_S))
    yield from _measure_throttle(rig, ABOVE_PER_S, MAX_PER_S)


def _compare(ours: Report, peer: str, theirs: Report) -> Iterator[Line]:
    """Yield a peer's time, and ingest's as a share of it: at most that where the peer was stopped."""
    yield Line(_NAMES[peer], _time(theirs))
    share = ours.seconds / theirs.seconds if theirs.end != End.FAILED and ours.end == End.DONE else None
    sign = "< " if theirs.end == End.STOPPED else ""
    yield _at_most("ingest, as a share of that", share, SHARES[peer], f"{sign}{{:.3g}}")


def _measure_tls(rig: Rig) -> Iterator[Line]:
    """Yield what encryption costs."""
    bare, ours = [], []
    for _ in range(ROUNDS):
        bare.append(rig.run("tests.benchmarks.peers.bare", PAGES, tls=True))
        ours.append(rig.ingest(PAGES, _AT_ONCE, tls=True)[0])
    yield Line(f"the same over TLS, median of {ROUNDS}", _time(_median(ours)))
    yield from _compare(_median(ours), "bare", _median(bare))


def _measure_sitemap(rig: Rig) -> Iterator[Line]:
    """Yield what web pages cost that a sitemap lists."""
    ours = [rig.ingest(PAGES, _AT_ONCE, SITEMAP)[0] for _ in range(ROUNDS)]
    yield Line(f"{PAGES:,} web pages that a sitemap lists, median of {ROUNDS}", _time(_median(ours)))
    peer = "scrapy_sitemap"
    yield from _compare(_median(ours), peer, rig.run(f"tests.benchmarks.peers.{peer}", PAGES, mode=SITEMAP))


def _measure_parts(rig: Rig, whole: Report) -> Iterator[Line]:
    """Yield what many small partitions cost."""
    bare = rig.run("tests.benchmarks.peers.bare", PAGES, parts=PARTS)
    ours = rig.ingest(PAGES, _AT_ONCE, parts=PARTS)[0]
    what = f"{PARTS:,} partitions of {PAGES // PARTS} pages"
    yield Line(what, _time(ours))
    yield from _compare(ours, "bare", bare)
    times = ours.seconds / whole.seconds if ours.end == whole.end == End.DONE else None
    yield _at_most(f"{what}, as a multiple of {PAGES:,} pages of one", times, PARTS_TIMES)


def _measure_details(rig: Rig, pages: Report) -> Iterator[Line]:
    """Yield what a list and a detail for each of its rows cost, and what it takes to find that all are landed."""
    before = rig.count_task_runs()
    details = rig.run(_DETAILS, PAGES, parts=PAGES)
    task_runs = rig.count_task_runs() - before
    what = f"a list of {PAGES:,} rows and a detail of each"
    yield Line(what, _time(details))
    times = details.seconds / pages.seconds if details.end == pages.end == End.DONE else None
    yield _at_most(f"{what}, as a multiple of {PAGES:,} pages of one", times, DETAILS_TIMES)
    yield _at_most(f"{what}, task runs in Prefect", task_runs or None, DETAILS_TASK_RUNS)
    peer = "dlt_details"
    yield from _compare(details, peer, rig.run(f"tests.benchmarks.peers.{peer}", PAGES, 120.0, parts=PAGES))
    known = rig.run(_DETAILS, KNOWN, KNOWN_LIMIT_S, parts=KNOWN, given=[AGAIN])
    yield Line(f"an ingest that finds {KNOWN:,} details landed", _time(known))


def _measure_many(rig: Rig, few: Report) -> Iterator[Line]:
    """Yield what many pages cost."""
    before = rig.count_task_runs()
    many, _ = rig.ingest(MANY * PAGES, _AT_ONCE)
    task_runs = rig.count_task_runs() - before
    done = many.end == few.end == End.DONE
    what = f"{MANY * PAGES:,} pages"
    yield Line(what, _time(many))
    yield _at_most(f"{what}, as a multiple of {PAGES:,}", many.seconds / few.seconds if done else None, MANY_TIMES)
    yield _at_most(f"{what}, peak memory, MiB", many.peak_bytes / _MEBIBYTE if done else None, PEAK_MEBIBYTES)
    yield _at_most(f"{what}, task runs in Prefect", task_runs or None, TASK_RUNS)


def _measure_throttle(rig: Rig, mode: str, capacity_per_s: int) -> Iterator[Line]:
    """Yield how much of its capacity a server was asked for that answers 429 to what is above."""
    pages = capacity_per_s * THROTTLED_S
    report, seconds = rig.ingest(pages, _FROM_DEFAULT, mode, THROTTLED_LIMIT_S)
    settled = seconds[SETTLED_S:-1]  # the last is not whole
    name, later = f"429 {mode.replace('-', ' ')}", f"from second {SETTLED_S} on"
    yield Line(f"{name}, {pages:,} pages", _time(report))
    share = _answered(settled, "200") / len(settled) / capacity_per_s if settled else 0.0
    what = f"{name}, share of the {capacity_per_s:,} a second it allows, {later}"
    yield Line(what, f"{share:.0%}", f"≥ {CAPACITY:.0%}", share >= CAPACITY)
    yield _at_most(f"{name}, share of 429, {later}", _refused(settled), REFUSED, "{:.1%}")
    yield _at_most(f"{name}, share of 429 of all answers", _refused(seconds), REFUSED, "{:.1%}")


def _at_most(what: str, measured: float | None, limit: float, shape: str = "{:.3g}") -> Line:
    """Return the line of a figure with an upper limit, which does not hold where there is no figure."""
    shown = "-" if measured is None else shape.format(measured)
    limit_shown = shape.removeprefix("< ").replace(".1%", ".0%").format(limit)
    return Line(what, shown, f"≤ {limit_shown}", measured is not None and measured <= limit)


def _refused(seconds: Seconds) -> float | None:
    total = _answered(seconds)
    return _answered(seconds, "429") / total if total else None


def _answered(seconds: Seconds, status: str | None = None) -> int:
    return sum(number for second in seconds for of, number in second.items() if status in (None, of))


def _median(reports: list[Report]) -> Report:
    """Return the report with the middle time; one that is not done stands for all."""
    missing = [report for report in reports if report.end != End.DONE]
    return missing[0] if missing else sorted(reports, key=lambda report: report.seconds)[len(reports) // 2]


def _time(report: Report) -> str:
    match report.end:
        case End.DONE:
            return f"{report.seconds:.2f} s"
        case End.STOPPED:
            return f"not done after {report.seconds:.0f} s"
        case _:
            return f"failed after {report.seconds:.1f} s"
