"""Who is told when a run goes wrong, or changes what serves."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from tasks.config.base import ConfigModel, Duration

AlertKind = Literal["failed", "late", "stuck", "champion_changed", "check_failed", "rows_down", "score_fell"]

_BLOCK = r"^[a-z0-9][a-z0-9-]*(/[a-z0-9][a-z0-9-]*)?$"
_THRESHOLDS: dict[str, AlertKind] = {"late_after": "late", "stuck_after": "stuck", "rows_down_by": "rows_down"}


class Alert(ConfigModel):
    """What is told to whom: each kind becomes an automation of Prefect. See [alerts](operate.md#alerts)."""

    to: Annotated[str, Field(pattern=_BLOCK)]
    """Name of a notification block of Prefect, which says where messages go, e.g. ops; where blocks of two kinds have it, with its kind, e.g. slack-webhook/ops."""
    when: Annotated[tuple[AlertKind, ...], Field(min_length=1)]
    """What is told. failed: a run of a deployment failed, or crashed; late: it does not begin when it is due; stuck: it does not end; champion_changed: another version of the model serves; check_failed: a check of a table fails, or warns, where it did not; rows_down: a table has far fewer rows than the run found; score_fell: a week's predictions, now that their truth is known, are surely worse than the version's hold-out."""
    late_after: Duration = timedelta(minutes=10)
    """So long after Prefect has marked a run Late, which is 15 s after it was due, it is told unless the run has begun; 10s or more."""
    stuck_after: Duration = timedelta(hours=2)
    """So long after a run has begun it is told unless the run has ended; 10s or more."""
    rows_down_by: Annotated[float, Field(gt=0, le=1)] = 0.5
    """The part of its rows by which a table must have shrunk: 0.5 is half of them."""

    @model_validator(mode="after")
    def _says_how_of_what_it_tells(self) -> Self:
        for key, kind in _THRESHOLDS.items():
            if key in self.model_fields_set and kind not in self.when:
                raise ValueError(f"{key} is of {kind}, which is not told; add {kind} to when, or take {key} out")
        for key in ("late_after", "stuck_after"):
            if getattr(self, key) < timedelta(seconds=10):
                raise ValueError(f"{key} is below 10s, the least that Prefect can wait for; write 10s or more")
        return self


def _as_alerts(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


Alerts = Annotated[tuple[Alert, ...], BeforeValidator(_as_alerts)]
"""What is told: one mapping, or a list of them."""
