"""What in a pipeline would make a run fail, seen before it runs."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from flows.summary import RunOptions
from tasks.config import (
    FilesSource,
    PagesSource,
    PartedSource,
    Pipeline,
    SecretReference,
    SqlSource,
    Tls,
    secret_references,
)
from tasks.config.auth import TokenAuth
from tasks.convert.formats.registry import find_too_large, format_of
from tasks.convert.table.inputs import list_files
from tasks.core.errors import ConfigError, PermanentSourceError, TableError
from tasks.core.storage import DataFolder
from tasks.core.tables import is_table
from tasks.raw.owners import find_foreign
from tasks.raw.selection import choose_slice


def find_mistakes(
    config: Pipeline,
    data: Path,
    choice: RunOptions,
    *,
    in_tables: bool = False,
    doubtful: Collection[str] = (),
) -> list[str]:
    """Return one sentence for each mistake that a run of what is chosen of a pipeline would meet.

    `in_tables` looks for those of tables and training also in the tables as the last
    run left them, which a run might change first. Of what stands under the keys that
    are `doubtful`, as `examine_pipeline` has them, nothing is told.
    """
    config, folder = choice.take(config, data)
    mistakes: list[str] = [mistake] if (mistake := DataFolder.find_mistake(data)) else []
    for name, source in config.sources.items():
        if isinstance(source, FilesSource):
            found = _files_mistakes(source, folder) if choice.runs("convert") else []
        else:
            found = _fetched_mistakes(source, folder) if choice.runs("ingest") else []
        mistakes += [f"sources.{name}.{mistake}" for mistake in found]
        if not isinstance(source, FilesSource) and source.parents and choice.runs("ingest"):
            mistakes += _parent_mistakes(name, source, config, folder, in_tables=in_tables)
    mistakes += [*find_foreign(config, folder), *_slice_mistakes(config, choice)]
    if choice.only == "tables" and not config.tables:
        mistakes.append("tables: is missing; add it, or leave --only tables out")
    if choice.only == "train" and config.training is None:
        mistakes.append("training: is missing; add it, or leave --only train out")
    if choice.only == "export" and choice.limit:
        mistakes.append("--limit: nothing of what is cut short is exported; leave it, or --only export, out")
    elif choice.only == "export" and not config.export:
        mistakes.append("export: is missing; add it, or leave --only export out")
    if config.export and choice.runs("export"):
        mistakes += _export_mistakes(config, folder)
    if (config.tables and choice.runs("tables")) or (config.training and choice.runs("train")):
        from flows.cli.table_mistakes import find_table_mistakes  # noqa: PLC0415 - of these alone is DuckDB wanted

        mistakes += find_table_mistakes(config, folder, choice, in_tables=in_tables, doubtful=doubtful)
    return [each for each in mistakes if not each.startswith(tuple(_begins(doubtful)))]


def _parent_mistakes(
    name: str, source: PartedSource, config: Pipeline, folder: DataFolder, *, in_tables: bool
) -> Iterator[str]:
    from tasks.raw.parents import find_parent_mistakes  # noqa: PLC0415 - of parents alone is DuckDB wanted
    from tasks.tables.draft import is_current  # noqa: PLC0415 - the same

    tables = {parent.from_ for parent in source.parents.values()} if in_tables else set()
    current = {
        table
        for table in tables
        if is_table(folder.table(table)) and is_current(table, config.converted[table], folder)
    }
    return find_parent_mistakes(name, source, folder, current)


def _begins(doubtful: Iterable[str]) -> Iterator[str]:
    """Yield how the sentences begin that are of what is doubtful, or of the value of a key that it is in."""
    for key in doubtful:
        names = key.split(".")
        yield f"{key}."
        yield from (f"{'.'.join(names[:size])}:" for size in range(min(3, len(names)), len(names) + 1))


def _export_mistakes(config: Pipeline, folder: DataFolder) -> list[str]:
    from tasks.export.job import find_export_mistakes  # noqa: PLC0415 - of exports alone is DuckDB wanted

    mistakes = find_export_mistakes(config, folder)
    for name, targets in config.export.items():
        for reference in filter(None, (target.password for target in targets)):
            mistakes += _secret_mistakes(f"export.{name}.password", reference)
    return mistakes


def _secret_mistakes(key: str, reference: SecretReference) -> list[str]:
    if reference.env is None:
        return []
    if secret := os.environ.get(reference.env, "").strip():
        try:
            reference.usable(secret)
        except ValueError as error:
            return [f"{key}.env: the environment variable {reference.env} {error}"]
        return []
    state = "empty" if reference.env in os.environ else "not set"
    what = key.rpartition(".")[2].replace("_", " ")
    return [f"{key}.env: the environment variable {reference.env} is {state}; set it to the {what}"]


def _files_mistakes(source: FilesSource, folder: DataFolder) -> list[str]:
    mistakes = []
    try:
        found = list_files(source.path, source.root(folder.root), source.allow_hosts)
        for file in found[: source.limit.number] if source.limit else found:
            try:
                kind = format_of(file.name, source.read)
            except TableError as error:
                mistakes.append(f"path: {file.name}: {error}")
                continue
            if told := find_too_large(kind, file.name, file.size, is_local=file.is_local):
                mistakes.append(f"path: {file.name}: {told}")
    except TableError as error:
        return [f"path: {line}" for line in str(error).splitlines()]
    return mistakes


def _fetched_mistakes(source: PartedSource, folder: DataFolder) -> list[str]:
    if isinstance(source, SqlSource):
        return _database_mistakes(source, folder)
    mistakes = _selector_mistakes(source) if isinstance(source, PagesSource) else []
    for key, reference in source.secret_places.items():
        mistakes += _secret_mistakes(key, reference)
    mistakes += _auth_mistakes(source.auth) if isinstance(source.auth, TokenAuth) and not mistakes else []
    mistakes += _certificate_mistakes(source.tls) if source.tls is not None else []
    if source.privacy is not None and source.privacy.hash is not None:
        mistakes += _secret_mistakes("privacy.hash.secret", source.privacy.hash.secret)
    return mistakes


def _database_mistakes(source: SqlSource, folder: DataFolder) -> list[str]:
    from tasks.ingest.sql.opening import find_database_mistake  # noqa: PLC0415 - of databases alone is Arrow wanted

    mistakes = _secret_mistakes("password", source.password) if source.password else []
    found = find_database_mistake(source, folder.root)
    return [*mistakes, *([found] if found else [])]


def _auth_mistakes(auth: TokenAuth) -> list[str]:
    """Return what is wrong with secrets that are all in the environment."""
    places = {key: place for key, place in secret_references(auth) if place.env is not None}
    if len(places) < len([*secret_references(auth)]):
        return []
    try:
        auth.check({key: place.usable(os.environ[str(place.env)].strip()) for key, place in places.items()})
    except ValueError as error:
        return [f"auth.{error}"]
    return []


def _certificate_mistakes(tls: Tls) -> list[str]:
    """Return what is wrong with files of certificates; a key whose password a run alone reads is left to it."""
    from tasks.ingest.http.tls import read_certificates  # noqa: PLC0415 - few sources have certificates of their own

    if tls.key_password is not None and (tls.key_password.env is None or not os.environ.get(tls.key_password.env)):
        tls = tls.model_copy(update={"certificate": None})
    password = os.environ.get(tls.key_password.env or "") if tls.key_password else None
    try:
        read_certificates(tls, password)
    except ValueError as error:
        return [f"tls.{error}"]
    return []


def _selector_mistakes(source: PagesSource) -> list[str]:
    from tasks.ingest.scraping.browsers import find_browser  # noqa: PLC0415 - of pages alone is lxml wanted
    from tasks.ingest.scraping.page import check_selectors  # noqa: PLC0415 - the same

    mistakes = check_selectors(source)
    if source.render is not None:
        try:
            find_browser(source.render)
        except PermanentSourceError as error:
            mistakes.append(str(error))
    return mistakes


def _slice_mistakes(config: Pipeline, choice: RunOptions) -> list[str]:
    if choice.partitions is None:
        return []
    how = {"tables": "makes its own of", "train": "learns from", "export": "writes"}.get(choice.only or "")
    if how is not None:
        return [f"--partitions: {choice.only} {how} whole tables; leave --partitions or --only {choice.only} out"]
    try:
        choose_slice(choice.partitions, config)
    except ConfigError as error:
        return [f"--{mistake}" for mistake in error.mistakes]
    return []
