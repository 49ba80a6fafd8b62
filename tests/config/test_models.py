"""The models of the pipeline file: documented, frozen, closed, and whole as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import isabstract
from pathlib import Path

import pytest
from pydantic import ValidationError

from tasks import config
from tasks.config import Candidate, Pipeline, RandomSplit, Range, load_pipeline
from tasks.config.base import ConfigModel

DEPLOYMENTS = sorted((Path(config.__file__).parents[2] / "deployments").glob("*/pipeline.yaml"))


def parts(below: type[ConfigModel] = ConfigModel) -> Iterator[type[ConfigModel]]:
    """Yield every model of a pipeline."""
    for model in below.__subclasses__():
        if model.__module__.startswith("tasks."):
            yield model
        yield from parts(model)


MODELS = sorted(set(parts()), key=lambda model: model.__name__)


def test_every_model_is_found() -> None:
    """The walk over the models reaches those that the package gives, and those within them."""
    public = {value for value in vars(config).values() if isinstance(value, type) and issubclass(value, ConfigModel)}

    assert public | {Range} <= set(MODELS)


@pytest.mark.parametrize("model", MODELS)
def test_every_field_is_documented(model: type[ConfigModel]) -> None:
    """Each model and each of its fields says what it is, in a sentence: the form of the UI shows it."""
    undocumented = [name for name, field in model.model_fields.items() if not (field.description or "").endswith(".")]

    assert (undocumented, bool(model.__doc__)) == ([], True)


@pytest.mark.parametrize("model", MODELS)
def test_every_model_is_frozen_and_closed(model: type[ConfigModel]) -> None:
    """A pipeline does not change under way, and takes no key it does not know."""
    assert (model.model_config.get("frozen"), model.model_config.get("extra")) == (True, "forbid")


def test_a_part_cannot_be_changed() -> None:
    """Setting a field is an error, as is a field that there is not."""
    with pytest.raises(ValidationError, match="frozen"):
        setattr(RandomSplit(), "stratify", False)  # noqa: B010 - mypy refuses the plain assignment
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        Candidate.model_validate({"estimator": "a.B", "time_limit": 5})


def test_the_schema_documents_all_of_a_pipeline() -> None:
    """The JSON schema, of which the UI makes its form, names every model but the bases."""
    schema = Pipeline.model_json_schema()

    named = {model.__name__ for model in MODELS if not (model.__name__.startswith("_") or isabstract(model))}
    assert set(schema["$defs"]) == named - {
        "Pipeline",
        "Tabled",
        "Parted",
        "Fetched",
        "ApiElements",
        "FileElements",
    } | {"JsonValue"}
    assert schema["required"] == ["name", "sources"]


def test_the_schema_describes_every_field() -> None:
    """Each field of the form has the sentence of its model, unions and references included."""
    schema = Pipeline.model_json_schema()
    models = {**schema["$defs"], "Pipeline": schema}

    undescribed = [
        (model, name)
        for model, definition in models.items()
        for name, field in definition.get("properties", {}).items()
        if not field.get("description", "").endswith(".")
    ]

    assert undescribed == []


@pytest.mark.parametrize("path", DEPLOYMENTS, ids=lambda path: path.parent.name)
def test_the_deployments_load_and_are_whole_as_json(path: Path) -> None:
    """What Prefect keeps of a pipeline as JSON is the same pipeline when read back."""
    pipeline = load_pipeline(path)

    assert pipeline.name == path.parent.name
    assert pipeline.training is not None
    assert Pipeline.model_validate(pipeline.model_dump(mode="json")) == pipeline
    assert Pipeline.model_validate_json(pipeline.model_dump_json()) == pipeline


def test_both_deployments_are_tested() -> None:
    """The demo and the tour are there."""
    assert [path.parent.name for path in DEPLOYMENTS] == ["flights", "tour"]


def test_a_range_includes_both_ends() -> None:
    """The values of a range are all from the first to the last."""
    assert tuple(Range(range=(1, 3)).values()) == (1, 2, 3)
    assert tuple(Range(range=(2, 2)).values()) == (2,)
