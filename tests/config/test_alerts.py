"""Who is told of what: one mapping or several, and thresholds of what is told alone."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tasks.config import Pipeline
from tasks.config.limit import Limit

FILES = {"name": "x", "sources": {"rows": {"kind": "files", "path": "inbox"}}}
ALERT = {"to": "ops", "when": ["failed", "stuck"], "stuck_after": "90m"}


def make_pipeline(alerts: Any) -> Pipeline:
    """Return a pipeline with alerts."""
    return Pipeline.model_validate({**FILES, "alerts": alerts})


def test_one_alert_or_several_are_taken() -> None:
    """A mapping alone is a list of one; a look at little of the sources tells nobody."""
    pipeline = make_pipeline(ALERT)

    assert pipeline == make_pipeline([ALERT])
    assert [(each.to, each.when, each.stuck_after) for each in pipeline.alerts] == [
        ("ops", ("failed", "stuck"), timedelta(minutes=90))
    ]
    assert pipeline.limited(Limit(1, Path("data"))).alerts == ()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (
            {"when": ["failed"]},
            "stuck_after is of stuck, which is not told; add stuck to when, or take stuck_after out",
        ),
        ({"stuck_after": "5s"}, "stuck_after is below 10s, the least that Prefect can wait for; write 10s or more"),
        ({"to": "Ops team"}, "pattern"),
        ({"when": []}, "at least 1"),
    ],
)
def test_what_no_alert_can_be_is_refused(wrong: dict[str, Any], said: str) -> None:
    """Each names the cure."""
    with pytest.raises(ValidationError, match=said):
        make_pipeline(ALERT | wrong)
