"""The training section: splits, searches and preprocessing."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pydantic import ValidationError

from tasks.config import Between, Candidate, GridSearch, Preprocessing, RandomSearch, Training
from tasks.runners.dask import DaskRunner


def candidate(**changes: Any) -> Candidate:
    """Return a candidate."""
    return Candidate.model_validate({"estimator": "sklearn.svm.SVC", **changes})


def test_a_search_takes_lists_and_bounds() -> None:
    """A grid has lists; a random search has lists and bounds, and twenty draws unless it says otherwise."""
    grid = candidate(search={"by": "grid", "space": {"C": [1, 2], "kernel": ["rbf", None]}})
    random = candidate(search={"by": "random", "space": {"C": {"low": 1, "high": 9, "log": True}, "kernel": ["rbf"]}})

    assert grid.search == GridSearch(space={"C": [1, 2], "kernel": ["rbf", None]})
    assert random.search == RandomSearch(n=20, space={"C": Between(low=1, high=9, log=True), "kernel": ["rbf"]})
    assert Candidate.model_validate_json(random.model_dump_json()) == random


@pytest.mark.parametrize(
    ("between", "says"),
    [
        ({"low": 9, "high": 1}, "low 9 is not below high 1; write the smaller number first"),
        ({"low": 0, "high": 1, "log": True}, "log needs bounds above zero, and low is 0; raise it"),
        ({"low": 1.2, "high": 1.8, "whole": True}, r"whole needs whole bounds, not 1.2 and 1.8; round them"),
    ],
)
def test_bounds_that_hold_nothing_are_refused(between: dict[str, Any], says: str) -> None:
    """Bounds the wrong way round, without a logarithm, or without a whole number between them are mistakes."""
    with pytest.raises(ValidationError, match=says):
        candidate(search={"by": "random", "space": {"C": between}})


@pytest.mark.parametrize(
    "search",
    [
        {"by": "grid", "space": {}},
        {"by": "grid", "space": {"C": []}},
        {"by": "grid", "space": {"C": {"low": 1, "high": 2}}},
        {"by": "random", "n": 1, "space": {"C": [1, 2]}},
        {"by": "guess", "space": {"C": [1, 2]}},
    ],
)
def test_a_search_without_choice_is_refused(search: dict[str, Any]) -> None:
    """An empty space, a grid of bounds, one draw and an unknown kind are mistakes."""
    with pytest.raises(ValidationError):
        candidate(search=search)


def test_preprocessing_is_a_word_or_its_parts() -> None:
    """What is not said of the parts is chosen by column and estimator."""
    assert candidate().preprocessing == "auto"
    assert candidate(preprocessing="none").preprocessing == "none"
    assert candidate(preprocessing={"texts": "words"}).preprocessing == Preprocessing(texts="words")
    with pytest.raises(ValidationError, match="Input should be 'auto', 'one_hot', 'codes', 'words' or 'drop'"):
        candidate(preprocessing={"texts": "word"})


def test_data_goes_by_the_address_of_a_store() -> None:
    """Any store that fsspec knows and can write."""
    for url in ("s3://bucket/a folder", "abfs://container@account.example/folder"):
        runner = DaskRunner(address="tcp://h:1", data_url=url)

        assert DaskRunner.model_validate_json(runner.model_dump_json()) == runner


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("bucket/folder", "'bucket/folder' is not the address of a store; write one like s3://bucket/folder"),
        ("s4://bucket", "'s4://bucket' is not the address of a store"),
        ("s3://", "'s3://' is not the address of a store"),
        ("https://h/folder", "'https://h/folder' is the address of a page, which cannot be written to"),
        ("memory://folder", "'memory://folder' is of one process, and no other reaches it; write one like s3://"),
        ("ftp://me:s3cr3t@h/folder", "'ftp://h/folder' holds a name and a password; take them out"),
    ],
)
def test_an_address_that_is_no_store_is_refused(url: str, says: str) -> None:
    """The address and the cure are named, and no secret."""
    with pytest.raises(ValidationError, match=says) as caught:
        DaskRunner(address="tcp://h:1", data_url=url)

    assert "s3cr3t" not in caught.value.errors()[0]["msg"]


@pytest.mark.parametrize(
    ("ensemble", "says"),
    [
        ({"vote": ["one", "twoo"]}, "made.vote.vote: 'twoo' is no candidate of this training; did you mean two?"),
        ({"vote": ["one", "made"]}, "made.vote.vote: made is a member of itself; take it out"),
        ({"stack": ["one", "other"]}, "made.stack.stack: other is an ensemble itself; name its members"),
        ({"vote": ["one", "one"]}, "made.vote.vote: one is there twice; take one out, or give it a greater weight"),
        ({"vote": ["one"]}, "at least 2 items"),
        ({"vote": ["one", "two"], "weights": [1]}, "weights has 1 and vote 2 entries; give one weight for each member"),
        ({"vote": ["one", "two"], "weights": [True, 1]}, "weights.0\n  Input should be a valid number"),
        ({"vote": ["one", "two"], "weights": [2, "1"]}, "weights.1\n  Input should be a valid number"),
        (
            {"vote": ["one", "two"], "weights": [1e308, 1e308]},
            "weights.0\n  Input should be less than or equal to 10000",
        ),
        (
            {"vote": ["one", "two"], "weights": [1e-320, 1]},
            "weights.0\n  Input should be greater than or equal to 0.000000001",
        ),
    ],
)
def test_members_of_an_ensemble_are_other_candidates(ensemble: dict[str, Any], says: str) -> None:
    """What is no candidate, itself, an ensemble or there twice cannot be one, and one alone is none."""
    single = {"estimator": "sklearn.svm.SVC"}
    candidates = {"one": single, "two": single, "other": {"vote": ["one", "two"]}, "made": ensemble}

    with pytest.raises(ValidationError, match=re.escape(says)):
        Training.model_validate({"query": "rows", "target": "y", "candidates": candidates})
