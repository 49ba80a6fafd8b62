"""What a card says of an assessment: how sure predictions are, for whom the model fails, and what is doubtful about it."""

from __future__ import annotations

from collections.abc import Iterator

from tasks.core.escaping import count, escape, table
from tasks.train.assessment.assess import Assessment
from tasks.train.assessment.conformal import Conformal, Covered
from tasks.train.assessment.diagnoses import Finding
from tasks.train.assessment.slices import SURE_P, Slice, worst_slice

_SLICES_SHOWN = 50


def assessed_sections(assessment: Assessment | None) -> Iterator[tuple[str, str]]:
    """Yield title and text of each section that there is something to say in."""
    if assessment is None:
        return
    if assessment.intervals is not None:
        yield "How sure a prediction is", _intervals(assessment.intervals)
    if assessment.slices:
        yield "Slices", _slices(assessment.slices)
    if assessment.findings:
        yield "Findings", _findings(assessment.findings)


def _intervals(intervals: Conformal) -> str:
    if intervals.low is not None and intervals.high is not None:
        made = (
            f"A prediction's interval is from {intervals.low:+.6g} to {intervals.high:+.6g} of it, "
            f"{intervals.size:.6g} wide: `prediction_low` and `prediction_high`."
        )
    else:
        made = (
            f"A row's set has {intervals.size:.2f} classes in the mean: `prediction_set`. Several classes mean that the "
            "model cannot tell them apart."
        )
    lines = [
        f"{made} The truth is to be in {intervals.coverage:.0%} of them, by the errors of {count(intervals.units, intervals.unit)} "
        f"that no fold had learnt from. {intervals.why}",
        "",
        "| held-out rows | number | covered | 95 % interval |",
        "|---|---|---|---|",
        _covered("all", intervals.holdout),
        *(_covered(escape(name), covered) for name, covered in (intervals.classes or {}).items()),
    ]
    return "\n".join(lines)


def _covered(name: str, covered: Covered) -> str:
    low, high = covered.interval
    return f"| {name} | {covered.rows:,} | {covered.share:.4f} | {low:.4f} to {high:.4f} |"


def tell_worst(slices: tuple[Slice, ...]) -> str:
    """Return for whom the model is surely worse, or that it is for nobody as far as can be told."""
    worst = worst_slice(slices)
    if worst is None or worst.difference is None:
        tested = sum(each.p is not None for each in slices)
        return f"In none of {count(tested, 'slice')} that can be told apart is it surely worse than in the others."
    return (
        f"It is worst where {worst.column} is {worst.value}: {worst.score:.4f}, {-worst.difference:.4f} less than on the "
        f"other held-out rows (p = {worst.p:.2g}, corrected for all slices)."
    )


def _slices(slices: tuple[Slice, ...]) -> str:
    rows = [
        [
            escape(each.column),
            escape(each.value),
            f"{each.rows:,}",
            _figure(each.score, each.interval),
            _figure(each.difference, each.difference_interval),
            _p(each),
        ]
        for each in slices[:_SLICES_SHOWN]
    ]
    more = f"\n\n{len(slices) - _SLICES_SHOWN} further slices are not shown." if len(slices) > _SLICES_SHOWN else ""
    told = table(("column", "value", "rows>", "score (95 %)", "lead over the others (95 %)", "p"), rows)
    return f"{escape(tell_worst(slices), cell=False)}\n\n{told}{more}"


def _figure(value: float | None, interval: tuple[float, float] | None) -> str:
    if value is None:
        return "not defined"
    return f"{value:.4f}" if interval is None else f"{value:.4f} ({interval[0]:.4f} to {interval[1]:.4f})"


def _p(each: Slice) -> str:
    if each.p is None:
        return "too few rows"
    return f"**{each.p:.2g}**" if each.p < SURE_P else f"{each.p:.2g}"


def _findings(findings: tuple[Finding, ...]) -> str:
    return "\n".join(
        f"- **{each.id}** ({each.severity}): {escape(each.measured, 1000, cell=False)}. "
        f"{escape(each.cure[:1].upper() + each.cure[1:], 1000, cell=False)}."
        for each in findings
    )
