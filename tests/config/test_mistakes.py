"""Mistakes in a pipeline file: each is one sentence, with its place, its value and the cure."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.config.pagination import PAGINATORS
from tests.config.files import MINIMAL, mistakes_of

TYPES = "int, float, string, bool, date, timestamp"
NAMES = "use small letters, digits, - and _, a letter first"
PLACE = "{env: NAME} or {secret_block: name}"
ADDRESS = "is not an address; write one like https://api.example.com/items"
BRACE = "has a stray brace; write {name} for a partition's value"


@pytest.mark.parametrize(
    ("right", "wrong", "mistakes"),
    [
        # unknown keys, at every depth
        ("name: small", "name: small\ntraning: {}", ["traning: unknown key; did you mean training?"]),
        ("name: small", "nam: small", ["name: is missing; add it", "nam: unknown key; did you mean name?"]),
        (
            "url:",
            "ulr:",
            ["sources.rows.url: is missing; add it", "sources.rows.ulr: unknown key; did you mean url?"],
        ),
        ("{kind: page}", "{kind: page, parm: p}", ["sources.rows.pagination.parm: unknown key; did you mean param?"]),
        ("{env: TOKEN}", "{evn: TOKEN}", ["sources.rows.auth.token.evn: unknown key; did you mean env?"]),
        ("{type: float}", "{typ: float}", ["sources.rows.columns.b.typ: unknown key; did you mean type?"]),
        ("attempts: 3", "atempts: 3", ["sources.rows.requests.atempts: unknown key; did you mean attempts?"]),
        (
            "range: [1, 3]",
            "rang: [1, 3]",
            [
                "sources.rows.partitions.y.range: is missing; add it",
                "sources.rows.partitions.y.rang: unknown key; did you mean range?",
            ],
        ),
        (
            "{select: td}",
            "{selct: td}",
            [
                "sources.site.columns.b.select: is missing; add it",
                "sources.site.columns.b.selct: unknown key; did you mean select?",
            ],
        ),
        (
            "estimator: a.B",
            "estimtor: a.B",
            [
                "training.candidates.one.estimator: is missing; add it",
                "training.candidates.one.estimtor: unknown key; did you mean estimator?",
            ],
        ),
        (
            "by: time, column: c",
            "by: random, column: c",
            ["training.split.column: unknown key; known here are by, folds, repeats, stratify, test_fraction"],
        ),
        (
            'path: "x/*.csv"',
            "glob: x",
            [
                "sources.inbox.path: is missing; add it",
                "sources.inbox.glob: unknown key; known here are allow_hosts, checks, columns, keep, key, kind, on_missing, path, read, table, tables",
            ],
        ),
        (
            "token: {env: TOKEN}",
            "tokn: {env: TOKEN}",
            [
                "sources.rows.auth.tokn: unknown key; did you mean token?",
            ],
        ),
        # kinds
        (
            "kind: files",
            "kind: file",
            ["sources.inbox.kind: 'file' is not one of api, pages, sql, files; did you mean files?"],
        ),
        ("kind: files", "kind: database", ["sources.inbox.kind: 'database' is not one of api, pages, sql, files"]),
        ("kind: files, ", "", ["sources.inbox: needs the key kind, which says what it is"]),
        (
            "{kind: page}",
            "{kind: pages}",
            [f"sources.rows.pagination.kind: 'pages' is not one of {', '.join(PAGINATORS.kinds)}; did you mean page?"],
        ),
        (
            "by: time",
            "by: tim",
            ["training.split.by: 'tim' is not one of random, time, group, own; did you mean time?"],
        ),
        ("a: int", "a: integer", [f"sources.rows.columns.a: 'integer' is not one of {TYPES}; did you mean int?"]),
        (
            "type: float",
            "type: flaot",
            [f"sources.rows.columns.b.type: 'flaot' is not one of {TYPES}; did you mean float?"],
        ),
        # values of another type
        ("name: small", "name: 5", ["name: 5 is not a text; write it in quotes"]),
        ("name: small", "name:", ["name: None is not a text; write it in quotes"]),
        ("{kind: page}", "page", ["sources.rows.pagination: 'page' is not a mapping; write {key: value}"]),
        ("a: int", "a: 5", ["sources.rows.columns.a: 5 is not a mapping; write {key: value}"]),
        ("{select: td}", "[td]", ["sources.site.columns.b: ['td'] is not a mapping; write {key: value}"]),
        (
            "attempts: 3",
            "attempts: three",
            [
                "sources.rows.requests.attempts: 'three': "
                "input should be a valid integer, unable to parse string as an integer"
            ],
        ),
        (
            "attempts: 3",
            "attempts: 0",
            ["sources.rows.requests.attempts: 0: input should be greater than or equal to 1"],
        ),
        ("x: [a]", "x: a", ["sources.rows.partitions.x: 'a' is not a list; write [value, value]"]),
        ("x: [a]", "x: []", ["sources.rows.partitions.x: has 0 entries; give at least 1"]),
        ("{one: {estimator: a.B}}", "{}", ["training.candidates: has 0 entries; give at least 1"]),
        (
            '"http://127.0.0.1"',
            "[]",
            ["sources.site: nothing says where its pages are; add start, sitemap or feed, e.g. start: https://…"],
        ),
        ('"x/*.csv"', '""', ["sources.inbox.path: '': string should have at least 1 character"]),
        # ranges
        (
            "[1, 3]",
            "[3, 1]",
            ["sources.rows.partitions.y: the range [3, 1] is empty; write the smaller number first"],
        ),
        ("[1, 3]", "[1]", ["sources.rows.partitions.y.range.1: is missing; add it"]),
        ("[1, 3]", "3", ["sources.rows.partitions.y.range: 3 is not a list; write [value, value]"]),
        # addresses
        (
            "1/{x}",
            "1/{z}",
            ["sources.rows: 'http://127.0.0.1/{z}' has {z}, which is not a partition; declare partitions: {z: [...]}"],
        ),
        ("http://127.0.0.1/{x}", "ftp://127.0.0.1/{x}", [f"sources.rows: 'ftp://127.0.0.1/{{x}}' {ADDRESS}"]),
        ('"http://127.0.0.1"', '["http://a", b]', [f"sources.site: 'b' {ADDRESS}"]),
        ("1/{x}", "1/{x", [f"sources.rows: 'http://127.0.0.1/{{x' {BRACE}"]),
        ("1/{x}", "1/{}", [f"sources.rows: 'http://127.0.0.1/{{}}' {BRACE}"]),
        ("1/{x}", "1/{x[0]}", [f"sources.rows: 'http://127.0.0.1/{{x[0]}}' {BRACE}"]),
        ("1/{x}", "1/{x!r:>9}", [f"sources.rows: 'http://127.0.0.1/{{x!r:>9}}' {BRACE}"]),
        # names
        ("name: small", "name: My pipeline", [f"name: 'My pipeline' is not a name; {NAMES}"]),
        ("inbox:", "In Box:", [f"sources.In Box: 'In Box' is not a name; {NAMES}"]),
        (
            "{one: {estimator: a.B}}",
            "{one: {estimator: a.B}, two: {vote: [one, on]}}",
            ["training.candidates.two.vote: 'on' is no candidate of this training; did you mean one?"],
        ),
        ("{one:", "{1st:", [f"training.candidates.1st: '1st' is not a name; {NAMES}"]),
        # secrets, which are never repeated
        ("{env: TOKEN}", "{}", [f"sources.rows.auth.token: name one place where the secret is held: {PLACE}"]),
        (
            "{env: TOKEN}",
            "{env: A, secret_block: b}",
            [f"sources.rows.auth.token: name one place where the secret is held: {PLACE}"],
        ),
        (
            "{env: TOKEN}",
            "s3cr3t",
            [f"sources.rows.auth.token: is no place of a secret; name where it is held: {PLACE}"],
        ),
        (
            "{kind: bearer, token: {env: TOKEN}}",
            "s3cr3t",
            ["sources.rows.auth: the value is not a mapping; write {key: value}"],
        ),
        # what the file points to
        (
            "target: t",
            "target: ${TIDEMILL_NOT_SET}",
            [
                "training.target: '${TIDEMILL_NOT_SET}' needs the environment variable TIDEMILL_NOT_SET, which is not set; "
                "set it, or give a default: ${TIDEMILL_NOT_SET:-value}"
            ],
        ),
        # YAML
        (
            "name: small",
            "name: small\nname: big",
            [':2:1: not valid YAML: found duplicate key "name"; mend the line'],
        ),
        ("name: small", "name: a: b", [":1:8: not valid YAML: mapping values are not allowed here; mend the line"]),
        ("name: small", "name: [small", [":2:8: not valid YAML: expected ',' or ']', but got ':'; mend the line"]),
        (
            "  site:",
            "\tsite:",
            [":11:1: not valid YAML: found character '\\t' that cannot start any token; mend the line"],
        ),
        ("name: small", "name: *small", [":1:7: not valid YAML: found undefined alias 'small'; mend the line"]),
        (
            "name: small",
            "description: &a [*a]",
            ["an alias stands within its own anchor; write the value itself"],
        ),
        (
            "name: small",
            "name: \x01",
            [
                "not valid YAML: unacceptable character #x0001: special characters are not allowed "
                'in "<unicode string>", position 6; mend the file'
            ],
        ),
    ],
)
def test_a_mistake_is_one_sentence(file: Path, right: str, wrong: str, mistakes: list[str]) -> None:
    """Each mistake is told with the path of its key, its value and the cure."""
    assert MINIMAL.count(right) == 1

    assert mistakes_of(file, MINIMAL.replace(right, wrong)) == mistakes


def test_all_mistakes_are_told_at_once(file: Path) -> None:
    """One look at the errors is enough to mend the file."""
    text = (
        MINIMAL.replace("attempts: 3", "atempts: 3").replace("a: int", "a: integer").replace("target: t", "traget: t")
    )

    assert mistakes_of(file, text) == [
        "sources.rows.requests.atempts: unknown key; did you mean attempts?",
        f"sources.rows.columns.a: 'integer' is not one of {TYPES}; did you mean int?",
        "training.target: is missing; add it",
        "training.traget: unknown key; did you mean target?",
    ]
