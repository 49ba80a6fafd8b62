"""What the command `new` does: look at sources, propose a pipeline file, check it, and write it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flows.cli.console import make_console, print_line
from flows.cli.invocation import own_command
from flows.cli.mistakes import find_mistakes
from flows.cli.new.draft import SourceDraft
from flows.cli.new.gathered import gather
from flows.cli.new.text import DOUBT, Text
from flows.cli.new.training import write_training
from flows.cli.new.united import write_unions
from flows.summary import RunOptions
from tasks.config import load_pipeline
from tasks.config.base import NAME_PATTERN
from tasks.core.errors import ConfigError
from tasks.core.imports import spare_pandas
from tasks.core.redaction import has_secret, redact
from tasks.core.scratch import scratch
from tasks.core.storage import DataFolder

if TYPE_CHECKING:
    from rich.console import Console

    from tasks.config import Pipeline

_OF_A_CHECKOUT = Path("deployments")
_OWN = Path("pipelines")


@dataclass(frozen=True)
class Wanted:
    """What a pipeline file is to be proposed of."""

    name: str
    origins: Sequence[str]
    """Addresses of APIs and web pages, files, globs and folders."""
    target: str | None = None
    file: Path | None = None
    token: str | None = None
    is_api: bool = False


def propose_pipeline(wanted: Wanted, data: Path) -> int:
    """Write a pipeline file that is proposed from what its sources show, and say what to do next; return the exit code.

    Raises:
        ConfigError: something is there already, is not given, or has no rows.
        SourceError: an address does not answer.

    """
    if not re.fullmatch(NAME_PATTERN, wanted.name):
        raise ConfigError(
            f"{wanted.name!r:.80} is no name of a pipeline; write small letters, digits, _ and -, e.g. orders"
        )
    path = wanted.file or _place(wanted.name)
    _refuse_existing(path)
    origins, target = wanted.origins, wanted.target
    if not origins:
        origins, target = _ask(target)
    folder, console = DataFolder.at(data), make_console()
    spare_pandas()
    drafts: list[SourceDraft] = []
    for origin in origins:
        for draft in _draft(origin, wanted, [each.name for each in drafts], folder):
            drafts.append(draft)
            print_line(console, draft.said)
    text = _write(wanted.name, drafts, target, console)
    config = _check(text, wanted.name)
    _create(path, str(text))
    guesses = f"; of its guesses, which are comments below a {DOUBT}, look at {text.doubts}" if text.doubts else ""
    print_line(console, f"wrote {path}{guesses}")
    for mistake in find_mistakes(config, data, RunOptions("convert")):  # to import what trains takes seconds
        print_line(console, f"to do: {mistake}")
    command, at = own_command(), "" if data == Path("data") else f" --data {data}"
    ask = " --ask" if config.parted else ""
    print_line(
        console,
        f"next: {command} check {path}{at}, {command} preview {path}{ask}{at}, and then {command} run {path}{at}",
    )
    return 0


def _place(name: str) -> Path:
    """Return where a pipeline file is written unless that is told: as the project has it in its own folder, else below pipelines/."""
    return _OF_A_CHECKOUT / name / "pipeline.yaml" if _OF_A_CHECKOUT.is_dir() else _OWN / f"{name}.yaml"


def _refuse_existing(path: Path) -> None:
    if path.exists() or path.is_symlink():
        raise ConfigError(f"{path}: is there already, and is not overwritten; choose another name, or --file")


def _ask(target: str | None) -> tuple[list[str], str | None]:
    """Return what is answered in the terminal.

    Raises:
        ConfigError: there is none, or nothing is answered.

    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ConfigError(
            "--from: is missing, and there is no terminal to ask in; give the address of an API or a web page, a file, a "
            "glob or a folder, e.g. --from https://api.example.com/orders, and --target COLUMN for a model"
        )
    try:
        origin = input(
            "Where do the rows come from? The address of an API or a web page, a file, or a folder: "
        ).strip()
        target = target or input("Which column is to be predicted? Nothing for none: ").strip() or None
    except EOFError:
        origin = ""
    if not origin:
        raise ConfigError("--from: nothing was answered; give an address, a file or a folder")
    return [origin], target


def _draft(origin: str, wanted: Wanted, taken: Collection[str], folder: DataFolder) -> Sequence[SourceDraft]:
    from flows.cli.new.files import draft_files  # noqa: PLC0415 - as below

    if origin.startswith(("http://", "https://")):
        from flows.cli.new.addresses import draft_address  # noqa: PLC0415 - of requests alone is aiohttp wanted
        from flows.cli.new.asked import Asked  # noqa: PLC0415 - the same

        asked = Asked(origin, wanted.token, is_api=wanted.is_api)
        if not asked.is_file:
            return [draft_address(asked, taken, folder)]
    if has_secret(origin):
        raise ConfigError(
            f"--from: {redact(origin)} holds a secret, which is written to no file; put it into an environment variable, "
            "and name that in path by hand, as ${NAME}"
        )
    return draft_files([origin], taken, folder)


def _write(name: str, drafts: Sequence[SourceDraft], target: str | None, console: Console) -> Text:
    text = Text()
    text.note(
        f"A proposal, made of what its sources show at their heads. A line below {DOUBT} is a guess: look at it, and take its # away where it is right."
    )
    text.key("name", name)
    text.key("sources")
    for draft in drafts:
        inner = text.inner()
        inner.key(draft.name)
        inner.below(draft.text)
        text.below(inner)
    tables, made = [table for draft in drafts for table in draft.tables], Text()
    for table, said in gather(tables, made):
        tables.append(table)
        print_line(console, said)
    write_unions(tables, made)
    if made.lines:
        has_tables = any(not line.lstrip().startswith("#") for line in made.lines)
        text.key("tables") if has_tables else text.item("# tables:")
        text.below(made)
    if target is not None:
        text.below(write_training(target, tables))
    else:
        text.note("training: trains and compares models; the command new proposes it where --target names a column.")
    return text


def _check(text: Text, name: str) -> Pipeline:
    """Return the pipeline that a text describes."""
    with scratch("new") as folder:
        path = folder / f"{name}.yaml"
        path.write_text(str(text), encoding="utf-8")
        try:
            return load_pipeline(path)
        except ConfigError as error:
            raise ConfigError(
                [
                    *error.mistakes,
                    "the proposal is wrong, which is an error in Tidemill, please report it; write the file by hand",
                ]
            ) from None


def _create(path: Path, text: str) -> None:
    """Write a file that is not there yet, as one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8")
        os.link(part, path)  # which, unlike a renaming, replaces nothing
    except FileExistsError:
        _refuse_existing(path)
        raise
    finally:
        part.unlink(missing_ok=True)
