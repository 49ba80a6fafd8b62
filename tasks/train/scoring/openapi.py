"""The endpoint in OpenAPI's words: the rows it takes and what it answers, made of the version that serves."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from tasks.core.escaping import count
from tasks.train.data.features import is_text_type
from tasks.train.predict.model import ServingModel
from tasks.train.predict.output import MADE_BY

OPENAPI = "3.1.0"

_KINDS: dict[str, dict[str, Any]] = {
    "number": {"type": ["number", "null"]},
    "truth": {"type": ["boolean", "null"]},
    "time": {
        "type": ["string", "null"],
        "description": "A moment, as 2013-01-31T05:00:00Z; without a zone, in UTC.",
    },
    "text": {"type": ["string", "null"]},
}
_ERRORS = {
    "type": "object",
    "required": ["errors"],
    "properties": {"errors": {"type": "array", "items": {"type": "string"}, "minItems": 1}},
}


def describe_endpoint(model: ServingModel, most_rows: int, most_bytes: int) -> dict[str, Any]:
    """Return the OpenAPI document of the endpoint, as long as this version serves."""
    version = model.version
    row = {
        "type": "object",
        "properties": {name: _KINDS[kind] for name, kind in version.features.items()},
        "required": list(version.features),
        "additionalProperties": False,
    }
    answer = {
        "type": "object",
        "required": [MADE_BY, "predictions"],
        "properties": {
            MADE_BY: {"type": "string", "description": "The version that has answered."},
            "predictions": {
                "type": "array",
                "description": "One for each row, in the order of the rows.",
                "items": {"$ref": "#/components/schemas/Prediction"},
            },
        },
    }
    rows = {"type": "array", "items": {"$ref": "#/components/schemas/Row"}, "maxItems": most_rows}
    refusals = {
        "413": f"More than {most_bytes:,} bytes, or {count(most_rows, 'row')}.",
        "422": "Rows that have not the columns; each sentence names row, column and cure.",
        "503": "As many requests as may be are under way.",
    }
    post = {
        "summary": f"Predict {version.target} of rows.",
        "operationId": "predict",
        "requestBody": {"required": True, "content": _json(rows)},
        "responses": {
            "200": {"description": "The predictions.", "content": _json(answer)},
            **{
                status: {"description": said, "content": _json({"$ref": "#/components/schemas/Errors"})}
                for status, said in refusals.items()
            },
        },
    }
    return {
        "openapi": OPENAPI,
        "info": {
            "title": f"{version.pipeline}: {version.target}",
            "version": version.name,
            "description": f"Predictions by the champion of {version.pipeline}, now {version.candidate}.",
        },
        "paths": {
            "/predict": {"post": post},
            "/drift": {"get": _told("How far the rows asked have moved from those learnt from.", "drift")},
            "/health": {"get": _told("Which version answers, and whether all is well.", "health")},
        },
        "components": {"schemas": {"Row": row, "Prediction": _prediction(model), "Errors": _ERRORS}},
    }


def _prediction(model: ServingModel) -> dict[str, Any]:
    schema = model.empty(pa.schema([])).schema
    properties = {field.name: _type_of(field.type) for field in schema if field.name != MADE_BY}
    return {"type": "object", "properties": properties, "required": list(properties)}


def _type_of(kind: pa.DataType) -> dict[str, Any]:
    if pa.types.is_list(kind):
        return {"type": "array", "items": _type_of(kind.value_type)}
    if is_text_type(kind):
        return {"type": "string"}
    if pa.types.is_boolean(kind):
        return {"type": "boolean"}
    return {"type": "integer"} if pa.types.is_integer(kind) else {"type": ["number", "null"]}


def _told(summary: str, operation: str) -> dict[str, Any]:
    told = {"description": summary, "content": _json({"type": "object"})}
    return {"summary": summary, "operationId": operation, "responses": {"200": told}}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
