"""The arguments and options that several commands of the command line have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tasks.core.bucket.opened import renew_folder

Data = Annotated[
    Path,
    Parameter(
        help="Folder for everything the run reads and writes, or a bucket: s3://bucket/prefix.",
        converter=lambda _, tokens: renew_folder(tokens[0].value),
    ),
]
Verbose = Annotated[bool, Parameter(negative="", help="Show Prefect's own log lines too.")]
PipelineFile = Annotated[Path, Parameter(help="Pipeline file, e.g. deployments/flights/pipeline.yaml.")]
Named = Annotated[str, Parameter(help="Pipeline file, or the name of a pipeline that has run.")]
