"""The order of the files of tests, which processes take one after the other: none that takes long ends alone.

Files that look at one thing which takes long to make are taken by one process.
"""

from __future__ import annotations

from collections.abc import Iterable

LONG = (
    "flows/test_run.py",
    "test_docs.py",
    "ingest/test_partitioned_kill.py",
    "flows/test_serve.py",
    "train/test_failures.py",
    "train/test_classes.py",
    "flows/test_cluster.py",
    "flows/test_alerts.py",
    "ingest/test_parents.py",
    "train/test_folds.py",
    "flows/test_deployments.py",
    "flows/test_schedules.py",
    "flows/test_kill_matrix.py",
    "train/test_schedule.py",
    "train/test_dask.py",
    "convert/test_dask.py",
    "train/test_flow.py",
    "clean/test_clean.py",
    "flows/test_python.py",
    "train/test_saved_split.py",
    "flows/test_interrupt.py",
    "train/test_own_metrics.py",
    "train/test_own_runners.py",
    "flows/test_bucket.py",
    "train/test_own_split.py",
    "ingest/test_rendering.py",
    "train/test_versions.py",
    "flows/test_ui_text.py",
    "flows/test_prefect_database.py",
    "flows/test_new.py",
    "ingest/test_packed.py",
    "train/test_truth.py",
    "ingest/test_adaptive.py",
    "train/test_own_classes.py",
    "train/test_ensembles.py",
    "train/test_own_serving.py",
    "flows/test_doctor.py",
    "convert/test_torture.py",
    "export/test_kill.py",
    "train/test_isolation.py",
    "export/test_stage.py",
    "test_architecture.py",
    "tables/test_benchmark.py",
    "ingest/test_query_kill.py",
    "convert/test_together.py",
    "flows/test_telemetry.py",
    "convert/test_jsonl_alike.py",
    "train/test_early_stopping.py",
    "flows/test_ui.py",
    "tables/test_query.py",
    "ingest/test_secrets.py",
    "flows/test_damage.py",
    "ingest/test_flow.py",
    "convert/test_bundle.py",
    "ingest/test_kill.py",
    "ingest/test_elements.py",
    "flows/test_first_pipeline.py",
    "train/test_worker.py",
    "flows/test_limit.py",
    "flows/test_retry.py",
    "convert/test_kill.py",
    "flows/test_form.py",
)
"""The files that take more than 40 s where three processes share two cores, the longest first; half of that they wait."""

_TOGETHER = {
    "a run of the tour": (
        "flows/test_run.py",
        "flows/test_graph.py",
        "flows/test_models.py",
        "flows/test_story.py",
        "flows/test_ui.py",
    ),
    "PostgreSQL": (
        "export/test_postgresql.py",
        "export/test_stage.py",
        "flows/test_databases.py",
        "ingest/test_postgresql.py",
        "ingest/test_query_kill.py",
    ),
}
"""The files that share what they look at."""


def shared(file: str) -> str:
    """Return what a file shares with others, or the file."""
    return next((what for what, names in _TOGETHER.items() if file.removeprefix("tests/") in names), file)


def spread(files: Iterable[str]) -> dict[str, int]:
    """Return the place of each file: the long ones in their order, each followed by its share of the others, which need the processors meanwhile."""
    names = dict.fromkeys(files)
    long = [name for name in (f"tests/{name}" for name in LONG) if name in names]
    others = [name for name in names if name not in long]
    share = len(others) / max(len(long), 1)
    first = [round(number * share) for number in range(len(long) + 1)]
    ordered = [name for number, name in enumerate(long) for name in (name, *others[first[number] : first[number + 1]])]
    return {name: place for place, name in enumerate(ordered or others)}
