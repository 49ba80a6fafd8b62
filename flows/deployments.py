"""The deployments of prefect.yaml, and of the pipeline folders that it does not name, as `serve`, `deploy` and `check` read them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from tasks.config import Pipeline, load_pipeline
from tasks.core.errors import ConfigError
from tasks.core.suggestions import did_you_mean

FILE = Path("prefect.yaml")
_FOLDER, _PIPELINE = "deployments", "pipeline.yaml"
_KINDS = ("cron", "interval", "rrule")
# What says how the code and a worker come together: of no use where the runs are started here.
_OF_WORKERS = ("path", "flow_name", "build", "push", "pull", "sla", "version_type", "docker")


class Timetable(BaseModel):
    """When a deployment runs: one entry of `schedules`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cron: str | None = None
    interval: float | str | None = None
    rrule: str | None = None
    anchor_date: Any = None
    timezone: str | None = None
    day_or: bool | None = None
    active: bool | None = None
    parameters: dict[str, Any] | None = None
    slug: str | None = None
    replaces: str | None = None

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> Timetable:
        if len(self.kinds) != 1:
            raise ValueError("needs exactly one of cron, interval and rrule")
        return self

    @property
    def kinds(self) -> list[str]:
        """Return which of cron, interval and rrule it has."""
        return [kind for kind in _KINDS if getattr(self, kind) is not None]

    def __str__(self) -> str:
        """Return it in a few words, as prefect.yaml has it."""
        (kind,) = self.kinds
        value = getattr(self, kind)
        said = f"every {value:g} s" if isinstance(value, float) else f'{kind} "{value}"'
        return f"{said} {self.timezone}" if self.timezone else said


class Deployment(BaseModel):
    """One deployment of prefect.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    entrypoint: str
    description: str | None = None
    version: str | None = None
    tags: list[str] | None = None
    parameters: dict[str, Any] = {}
    schedules: list[Timetable] = []
    paused: bool | None = None
    concurrency_limit: int | dict[str, Any] | None = None
    enforce_parameter_schema: bool | None = None
    triggers: list[dict[str, Any]] | None = None
    work_pool: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _leave_out_what_is_of_workers(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        kept = {key: given for key, given in value.items() if key not in _OF_WORKERS}
        single = kept.pop("schedule", None)  # which Prefect still takes
        return kept | ({"schedules": [single]} if single is not None else {})

    @property
    def flow(self) -> str:
        """Return the name of the flow's function."""
        return self.entrypoint.rsplit(":")[-1]

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment that a work pool would give the runs."""
        given = (self.work_pool.get("job_variables") or {}).get("env") or {}
        return {str(name): str(value) for name, value in given.items()}

    @property
    def is_scheduled(self) -> bool:
        """Return whether it runs by itself."""
        return not self.paused and any(timetable.active is not False for timetable in self.schedules)

    def read_pipeline(self) -> Pipeline | None:
        """Return the pipeline that its runs are given; None where they are given none.

        Raises:
            ConfigError: the pipeline is missing or wrong.

        """
        config = self.parameters.get("config")
        if config is None:
            return None
        try:
            return Pipeline.model_validate(config) if isinstance(config, dict) else load_pipeline(Path(str(config)))
        except ValidationError as error:
            raise _wrong(self.name, error, ("parameters", "config")) from None
        except ConfigError as error:
            raise ConfigError([f"{FILE}: deployments.{self.name}: {mistake}" for mistake in error.mistakes]) from None


def read_deployments(file: Path = FILE) -> list[Deployment]:
    """Return the deployments of a prefect.yaml, and those of the pipeline folders beside it that it does not name.

    Raises:
        ConfigError: there is no such file, nothing to deploy, or a deployment is wrong.

    """
    deployments = [_read(number, entry) for number, entry in enumerate(read_document(file)["deployments"], 1)]
    doubled = [name for name, count in Counter(deployment.name for deployment in deployments).items() if count > 1]
    if doubled:
        raise ConfigError(f"{file}: deployments: two are named {doubled[0]!r}; give each a name of its own")
    return deployments


def merge_environments(deployments: Iterable[Deployment]) -> dict[str, str]:
    """Return the environment of all deployments together.

    Raises:
        ConfigError: two of them want the same variable with different values.

    """
    merged: dict[str, str] = {}
    for deployment in deployments:
        for name, value in deployment.environment.items():
            if merged.setdefault(name, value) != value:
                raise ConfigError(
                    f"{FILE}: deployments.{deployment.name}: another deployment gives {name} another value, and serve "
                    "runs all of them in one environment; give it the same value, or run them by a worker"
                )
    return merged


def read_document(file: Path = FILE) -> dict[str, Any]:
    """Return what a prefect.yaml says, with a deployment more for each `deployments/NAME/pipeline.yaml` that none of its own runs.

    Such a one is named after its folder, runs on demand, and where those of the file's own run that come first.

    Raises:
        ConfigError: there is no such file, it cannot be read, or nothing is to be deployed.

    """
    document = _parse(file)
    given = document.get("deployments") or []
    if not isinstance(given, list):
        raise ConfigError(f"{file}: deployments: is no list; write one deployment an entry")
    entries = [entry for entry in given if isinstance(entry, dict)]
    found = list(_find_folders(file, entries))
    if not given and not found:
        raise ConfigError(f"{file}: deployments: is empty; add one")
    return document | {"deployments": [*given, *found]}


def _find_folders(file: Path, entries: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    named = {str(each.get("name")) for each in entries}
    configs = [(each.get("parameters") or {}).get("config") for each in entries]
    run = {(file.parent / config).resolve() for config in configs if isinstance(config, str)}
    pool = next((each["work_pool"] for each in entries if each.get("work_pool")), None)
    for path in sorted((file.parent / _FOLDER).glob(f"*/{_PIPELINE}")):
        if path.resolve() not in run and path.parent.name not in named:
            yield {
                "name": path.parent.name,
                "description": f"{path.relative_to(file.parent)}, on demand; an entry in {file.name} gives it a schedule.",
                "entrypoint": "flows.pipeline:pipeline",
                "parameters": {"config": str(path.relative_to(file.parent)), "data": "data"},
                "concurrency_limit": {"limit": 1, "collision_strategy": "CANCEL_NEW"},
                **({"work_pool": pool} if pool else {}),
            }


def _parse(file: Path) -> dict[str, Any]:
    try:
        document = YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{file}: there is none in {Path.cwd()}; run the command where it is, or write one") from None
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        raise ConfigError(f"{file}: cannot be read: {' '.join(str(error).split())}; mend the file") from None
    return document if isinstance(document, dict) else {}


def _read(number: int, entry: Any) -> Deployment:
    name = entry.get("name") if isinstance(entry, dict) else None
    try:
        return Deployment.model_validate(entry)
    except ValidationError as error:
        raise _wrong(str(name or number), error) from None


def _wrong(name: str, error: ValidationError, place: tuple[str, ...] = ()) -> ConfigError:
    """Return one sentence for each mistake in a deployment."""
    return ConfigError([_sentence(name, place, details) for details in error.errors()])


def _sentence(name: str, place: tuple[str, ...], details: Any) -> str:
    key = ".".join([name, *place, *(str(part) for part in details["loc"])])
    match details["type"]:
        case "extra_forbidden":
            known = Timetable.model_fields if "schedules" in details["loc"] else Deployment.model_fields
            said = f"unknown key; {did_you_mean(details['loc'][-1], [*known, *_OF_WORKERS], 'take it out')}"
        case "missing":
            said = "is missing; add it"
        case _:
            said = f"{details['msg'].removeprefix('Value error, ')}, and this is {details['input']!r:.80}; correct it"
    return f"{FILE}: deployments.{key}: {said}"
