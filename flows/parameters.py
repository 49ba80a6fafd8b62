"""The parameters of the flows, as the form of a deployment in the Prefect UI has them."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from pydantic_core.core_schema import no_info_plain_validator_function

from flows.deployments import FILE
from flows.summary import Stage
from tasks.config import Pipeline, list_pipeline_files
from tasks.core.imports import makes_forms

_CONFIG = re.compile(r"""\bconfig:\s*["']?([^\s"',{}]+)""")


class _Picked:
    """Has a path picked in the form among the pipeline files of the project, where there are some when it is deployed."""

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        known = known_files()
        return {"title": "file", "type": "string", "enum": known} if known else {**handler(schema), "title": "file"}


class _Filled:
    """Has a pipeline filled in by its keys, which takes a third of a second for each flow; of most processes no form is made."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return handler(source) if makes_forms() else no_info_plain_validator_function(Pipeline.model_validate)

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(schema) if makes_forms() else {"title": "Pipeline", "type": "object"}


class _AtLeastOne:
    """Has the form say that a number is below 1, instead of that it fits none of several schemas."""

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(schema), "minimum": 1}


def known_files() -> list[str]:
    """Return the pipeline files that are found here, and those that prefect.yaml names; of that, only the names are read."""
    named: list[str] = []
    with suppress(OSError, UnicodeDecodeError):
        named = _CONFIG.findall(FILE.read_text(encoding="utf-8"))
    return sorted({*map(str, list_pipeline_files()), *named})


Config = (
    Annotated[Path, _Picked()] | Annotated[Path, Field(title="path of another file")] | Annotated[Pipeline, _Filled()]
)
"""A pipeline: one of the files of this project, any other, or what is filled in."""
OneStage = Annotated[Stage, Field(title="one stage")] | Annotated[None, Field(title="all stages")]
Partitions = (
    Annotated[str, Field(title="some", examples=["month=3..5 origin=EWR,JFK"])]
    | Annotated[None, Field(title="all partitions")]
)
HowMany = Annotated[
    Annotated[int, Field(ge=1), WithJsonSchema({"type": "integer", "title": "the first"})]
    | Annotated[None, Field(title="all pages and files")],
    _AtLeastOne(),
]
