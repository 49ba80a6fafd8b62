"""Runners at the top and of training, and the share of a host that a run has."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from tasks.config import Pipeline, Requests
from tasks.runners.dask import DaskRunner
from tasks.runners.processes import ProcessesRunner

DASK = {"kind": "dask", "address": "tcp://h:8786"}
PROCESSES = {"kind": "processes", "workers": 2}


@pytest.mark.parametrize(
    ("top", "of_training", "expected"),
    [
        (None, None, ProcessesRunner()),
        (DASK, None, DaskRunner(address="tcp://h:8786")),
        (DASK, PROCESSES, ProcessesRunner(workers=2)),
        (PROCESSES, DASK, DaskRunner(address="tcp://h:8786")),
    ],
)
def test_the_runner_of_training_stands_above_that_at_the_top(top: Any, of_training: Any, expected: object) -> None:
    """Where it is not given, the one at the top is that of training, too; both are whole as JSON."""
    training = {"query": "rows", "target": "y", "candidates": {"a": {"estimator": "sklearn.svm.SVC"}}}
    config = Pipeline.model_validate(
        {
            "name": "one",
            "sources": {"rows": {"kind": "files", "path": "*.csv"}},
            "training": training | ({"runner": of_training} if of_training else {}),
            **({"runner": top} if top else {}),
        }
    )

    assert config.training_runner == expected
    assert Pipeline.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        (
            {},
            r"neither address nor cluster says where its workers are; add address: tcp://HOST:8786, or cluster: local",
        ),
        ({"address": "tcp://h:1", "cluster": "local"}, r"address \(tcp://h:1\) and cluster \(local\) are two clusters"),
        ({"address": "tcp://h:1", "workers": 3}, r"workers \(3\) is of cluster: local, .* tcp://h:1 has its own"),
        ({"cluster": "far"}, "Input should be 'local'"),
    ],
)
def test_what_is_no_cluster_is_refused(keys: dict[str, Any], says: str) -> None:
    """With the value and the cure."""
    with pytest.raises(ValidationError, match=says):
        DaskRunner.model_validate(keys)


def test_a_share_multiplies_what_a_host_may_get() -> None:
    """Where it comes to less than one request in flight, it is one."""
    requests = Requests(start_in_flight=8, min_in_flight=2, max_in_flight=64, requests_per_s=10, share="1/4")

    shared = requests.shared

    assert (shared.start_in_flight, shared.min_in_flight, shared.max_in_flight) == (2, 1, 16)
    assert shared.requests_per_s == 2.5
    assert shared.shared is shared
    assert Requests().shared == Requests()


@pytest.mark.parametrize("share", ["5/4", "0/4", "1/0", "a", "1/4 ", "-1/4", 0.25, "0.25"])
def test_what_is_no_share_is_refused(share: object) -> None:
    """It is a fraction of at most 1."""
    with pytest.raises(ValidationError, match=r"is no share; write a fraction of at most 1, like 1/4"):
        Requests.model_validate({"share": share})
