#!/usr/bin/env bash
# Prefect 3.9 on Python 3.11: when clocks are set back, schedules by interval leave out the hour that comes twice.
# Expected: IntervalSchedule says of itself that intervals below a day follow UTC, "an hourly schedule will fire every UTC hour", and
# that longer ones keep their hour; the pause of two hours is told of cron alone.
# Seen: an hour after 02:00 of summer comes 03:00 of winter, two hours later: times are compared by what the clock shows, and the
# second 02:00 is taken for the first. From Python 3.13 on the times are made by another library, of which nothing is claimed.
# When clocks are set forward, a daily schedule at 02:30 moves to 03:30 and stays there, winter included; cron goes back to 02:30.
# It meets hourly ingestion with a time zone, once a year: an hour of data is asked for an hour late, or never.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install "prefect==3.9.1"
cd "$work"
export HOME="$work" PREFECT_HOME="$work/prefect" DO_NOT_TRACK=1 PREFECT_SERVER_ANALYTICS_ENABLED=false
"$work/venv/bin/python" - <<'PY'
import asyncio
import sys
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import prefect
from prefect.server.schemas.schedules import CronSchedule, IntervalSchedule

ZONE = "Europe/Berlin"
BERLIN = ZoneInfo(ZONE)
if sys.version_info >= (3, 13):
    sys.exit(print("nothing is claimed of this version of Python"))


def dates(schedule, start, count):
    return asyncio.run(schedule.get_dates(count, start=start))


def every(anchor, **interval):
    return IntervalSchedule(interval=timedelta(**interval), anchor_date=anchor, timezone=ZONE)


hourly = every(datetime(2026, 7, 1, tzinfo=BERLIN), hours=1)
asked = [datetime(2026, 10, 24, 23, 30, tzinfo=UTC), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)]
hours = [[date.astimezone(UTC).hour for date in dates(hourly, start, 3)] for start in asked]
daily = every(datetime(2026, 1, 1, 2, 30, tzinfo=BERLIN), days=1)
cron = CronSchedule(cron="30 2 * * *", timezone=ZONE)
months = [datetime(2026, month, 1, tzinfo=BERLIN) for month in (3, 6, 12)]
clock = {
    kind: [f"{dates(schedule, month, 1)[0]:%H:%M}" for month in months]
    for kind, schedule in (("daily", daily), ("cron", cron))
}
print(f"prefect {prefect.__version__}, Python {sys.version.split()[0]}: hours of UTC when clocks are set back, asked before")
print(f"and within them: {hours}; the clock of 02:30 in March, June and December: {clock}")
assert hours == [[0, 2, 3], [2, 3, 4]], "no longer so"
assert clock == {"daily": ["02:30", "03:30", "03:30"], "cron": ["02:30"] * 3}, "no longer so"
PY
