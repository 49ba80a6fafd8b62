"""Auth: each kind, where its secrets are held, and no secret repeated in a mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.config import (
    Auth,
    SecretReference,
    load_pipeline,
    secret_references,
)
from tasks.config.auth import AUTHS
from tasks.ingest.http.auths.api_key import ApiKeyAuth
from tasks.ingest.http.auths.basic import BasicAuth
from tasks.ingest.http.auths.bearer import BearerAuth
from tasks.ingest.http.auths.oauth2 import OAuth2Auth
from tests.config.files import api, mistakes_of, pages

PLACE = "{env: NAME} or {secret_block: name}"
NO_PLACE = f"is no place of a secret; name where it is held: {PLACE}"
HELD = SecretReference(env="HELD")
OAUTH2 = "kind: oauth2, token_url: 'http://127.0.0.1/token', client_id: me"
JWT = "kind: jwt_bearer, token_url: 'http://127.0.0.1/token', issuer: me"
LOGIN = "kind: login, url: 'http://127.0.0.1/login'"
SECRET = "s3cr3t"  # noqa: S105 - what no sentence may hold


@pytest.mark.parametrize(
    ("text", "auth"),
    [
        ("kind: bearer, token: {env: HELD}", BearerAuth(token=HELD)),
        ("kind: basic, username: me, password: {env: HELD}", BasicAuth(username="me", password=HELD)),
        ("kind: api_key, name: X-Api-Key, key: {env: HELD}", ApiKeyAuth(name="X-Api-Key", key=HELD)),
        (
            "kind: api_key, name: the key, place: query, key: {env: HELD}",
            ApiKeyAuth(name="the key", place="query", key=HELD),
        ),
        (
            f"{OAUTH2}, client_secret: {{env: HELD}}",
            OAuth2Auth(token_url="http://127.0.0.1/token", client_id="me", client_secret=HELD),  # noqa: S106 - an address
        ),
        (
            f"{OAUTH2}, client_secret: {{env: HELD}}, scope: a b, params: {{audience: x}}, send_as: body",
            OAuth2Auth(
                token_url="http://127.0.0.1/token",  # noqa: S106 - the same
                client_id="me",
                client_secret=HELD,
                scope="a b",
                params={"audience": "x"},
                send_as="body",
            ),
        ),
    ],
)
def test_each_kind_is_read(file: Path, text: str, auth: Auth) -> None:
    """What the file says is the model, for an API and for pages."""
    for source in (api(f"auth: {{{text}}}"), pages(f"columns: {{a: td}}, auth: {{{text}}}")):
        file.write_text(source)

        assert load_pipeline(file).fetched["rows"].auth == auth


def test_a_key_may_be_sent_in_the_body_of_a_post(file: Path) -> None:
    """Place body needs a request that has one."""
    file.write_text(api("method: POST, auth: {kind: api_key, name: key, place: body, key: {secret_block: held}}"))

    auth = load_pipeline(file).fetched["rows"].auth

    assert auth == ApiKeyAuth(name="key", place="body", key=SecretReference(secret_block="held"))  # noqa: S106 - a name


@pytest.mark.parametrize(
    ("auth", "key"),
    [
        (BearerAuth(token=HELD), "token"),
        (BasicAuth(username="me", password=HELD), "password"),
        (ApiKeyAuth(name="key", key=HELD), "key"),
        (OAuth2Auth(token_url="http://a", client_id="me", client_secret=HELD), "client_secret"),  # noqa: S106 - an address
    ],
)
def test_the_secrets_of_an_auth_are_named_by_their_keys(auth: Auth, key: str) -> None:
    """Each kind has one secret, held where its key says."""
    assert list(secret_references(auth)) == [(key, HELD)]


@pytest.mark.parametrize(
    ("auth", "mistakes"),
    [
        ("{kind: bear}", [f".kind: 'bear' is not one of {', '.join(AUTHS.kinds)}; did you mean bearer?"]),
        ("{kind: zebra}", [f".kind: 'zebra' is not one of {', '.join(AUTHS.kinds)}"]),
        ("{token: {env: A}}", [": needs the key kind, which says what it is"]),
        ("{kind: basic}", [".username: is missing; add it", ".password: is missing; add it"]),
        (
            "{kind: basic, user: me, password: {env: A}}",
            [".username: is missing; add it", ".user: unknown key; did you mean username?"],
        ),
        (
            "{kind: bearer, token: {env: A}, scheme: x}",
            [".scheme: unknown key; known here are kind, token, tokens"],
        ),
        (
            "{kind: api_key, name: '', key: {env: A}}",
            [".name: the value: string should have at least 1 character"],
        ),
        (
            "{kind: api_key, name: X Key, key: {env: A}}",
            [": 'X Key' is not the name of a header; write one like X-Total-Count"],
        ),
        (
            "{kind: api_key, name: k, place: querry, key: {env: A}}",
            [".place: 'querry' is not one of header, query, body; did you mean query?"],
        ),
        (
            f"{{{OAUTH2}, client_secret: {{env: A}}, scopes: a}}",
            [".scopes: unknown key; did you mean scope?"],
        ),
        (
            f"{{{OAUTH2}, client_secret: {{env: A}}, params: {{scope: a}}}}",
            [".params: scope is a key of auth itself; write it there, not among params"],
        ),
        (
            f"{{{OAUTH2}, client_secret: {{env: A, secret_block: b}}}}",
            [f".client_secret: name one place where the secret is held: {PLACE}"],
        ),
        (
            f"{{{OAUTH2}, client_secret: {{evn: A}}}}",
            [".client_secret.evn: unknown key; did you mean env?"],
        ),
        (
            f"{{{OAUTH2}}}",
            [": grant: client_credentials needs client_secret; add it"],
        ),
        (
            f"{{{OAUTH2}, grant: refresh_token}}",
            [": grant: refresh_token needs refresh_token; add it"],
        ),
        (
            f"{{{OAUTH2}, grant: password, username: ann}}",
            [": grant: password needs password; add it"],
        ),
        (
            f"{{{OAUTH2}, grant: refresh_token, refresh_token: {{env: A}}, username: ann}}",
            [": username is of grant: password; write that, or take username out"],
        ),
        (
            f"{{{OAUTH2}, grant: code, client_secret: {{env: A}}}}",
            [".grant: 'code' is not one of client_credentials, refresh_token, password"],
        ),
        (
            f"{{{JWT}, key: {{env: A}}, algorithm: HS256}}",
            [".algorithm: 'HS256' is not one of RS256, ES256; did you mean RS256?"],
        ),
        (
            f"{{{JWT}, key: {{env: A}}, claims: {{iss: a}}}}",
            [".claims: iss is made of the other keys of auth; take it out of claims"],
        ),
        (
            f"{{{JWT}, key: {{env: A}}, params: {{assertion: a}}}}",
            [".params: assertion is a key of auth itself; write it there, not among params"],
        ),
        (f"{{{JWT}}}", [".key: is missing; add it"]),
        (f"{{{LOGIN}}}", [".secrets: is missing; add it"]),
        ("{kind: bearer}", [": token is missing; add it, or tokens, of which each has its own budget"]),
        (
            "{kind: bearer, token: {env: A}, tokens: [{env: B}]}",
            [": token and tokens are both there; leave one of them out"],
        ),
        (
            "{kind: api_key, name: k, keys: [{env: A}, {env: A}]}",
            [": keys has one place of a secret twice; name each once"],
        ),
        ("{kind: bearer, tokens: [s3cr3t]}", [f".tokens.0: {NO_PLACE}"]),
        ("{kind: bearer, tokens: {env: A}}", [".tokens: the value is not a list; write [value, value]"]),
        (
            f"{{{LOGIN}, secrets: {{}}}}",
            [".secrets: has 0 entries; give at least 1"],
        ),
        (
            f"{{{LOGIN}, form: {{password: x}}, secrets: {{pin: {{env: A}}}}}}",
            [": form.password holds a secret, which belongs in secrets; name there where it is held"],
        ),
        (
            f"{{{LOGIN}, body: {{a: {{password: x}}}}, secrets: {{pin: {{env: A}}}}}}",
            [": body.a.password holds a secret, which belongs in secrets; name there where it is held"],
        ),
        (
            f"{{{LOGIN}, body: {{a: 1}}, form: {{a: b}}, secrets: {{pin: {{env: A}}}}}}",
            [": body is what is sent as JSON, and form does not go with it; take one of them out"],
        ),
        (
            f"{{{LOGIN}, body: {{a: 1}}, secrets: {{b.pin: {{env: A}}}}}}",
            [": secrets.b.pin: body has no b; add it, or correct the path"],
        ),
        (
            f"{{{LOGIN}, form: {{pin: x}}, secrets: {{pin: {{env: A}}}}}}",
            [": form.pin is in secrets too; take it out of form"],
        ),
        (
            f"{{{LOGIN}, secrets: {{pin: {{env: A}}}}, send_as: header}}",
            [
                ": send_as: header and send_as: cookie need a token_at and a name, and nothing else has one; "
                "write send_as: header, name: X-Session, or leave name out"
            ],
        ),
        (
            f"{{{LOGIN}, secrets: {{pin: {{env: A}}}}, lasts: 0s}}",
            [".lasts: 0s is no time; write one like 30m, or leave lasts out"],
        ),
        (
            "{kind: oauth2, token_url: nowhere, client_id: me, client_secret: {env: A}}",
            [".token_url: 'nowhere' is not an address; write one like https://api.example.com/items"],
        ),
        (
            "{kind: oauth2, token_url: 'http://a/{x}', client_id: me, client_secret: {env: A}}",
            [".token_url: there is one address for all partitions; write it without braces"],
        ),
    ],
)
def test_a_mistake_is_named_by_its_key(file: Path, auth: str, mistakes: list[str]) -> None:
    """The path is the file's own, without the kind, whatever union the key stands in."""
    expected = [f"sources.rows.auth{mistake}" for mistake in mistakes]

    assert mistakes_of(file, api(f"auth: {auth}")) == expected
    assert mistakes_of(file, pages(f"columns: {{a: td}}, auth: {auth}")) == expected


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("kind: bearer", "token"),
        ("kind: basic, username: me", "password"),
        ("kind: api_key, name: key", "key"),
        (OAUTH2, "client_secret"),
        (f"{OAUTH2}, grant: refresh_token", "refresh_token"),
        (JWT, "key"),
    ],
)
@pytest.mark.parametrize(
    ("value", "path", "sentence"),
    [
        ("s3cr3t", "", NO_PLACE),
        ("'s3cr3t'", "", NO_PLACE),
        ("[s3cr3t]", "", NO_PLACE),
        ("{env: [s3cr3t]}", ".env", "the value is not a text; write it in quotes"),
        ("{secret_block: {a: s3cr3t}}", ".secret_block", "the value is not a text; write it in quotes"),
        (
            "{env: s3cr3t-t0k3n}",
            ".env",
            "is not the name of an environment variable; write one like API_TOKEN, which holds the secret",
        ),
        ("{env: s3cr3t, secret_block: s3cr3t}", "", f"name one place where the secret is held: {PLACE}"),
        ("{value: s3cr3t}", ".value", "unknown key; known here are env, secret_block"),
    ],
)
def test_a_secret_is_not_repeated(file: Path, kind: str, key: str, value: str, path: str, sentence: str) -> None:
    """A secret that stands in the file itself is a mistake, told without its value."""
    found = mistakes_of(file, api(f"auth: {{{kind}, {key}: {value}}}"))

    assert found == [f"sources.rows.auth.{key}{path}: {sentence}"]
    assert SECRET not in "".join(found)


@pytest.mark.parametrize(
    ("keys", "mistake"),
    [
        ("auth: s3cr3t", "auth: the value is not a mapping; write {key: value}"),
        ("auth: {kind: basic, username: [s3cr3t], password: {env: A}}", "auth.username: the value is not a text"),
        (
            "auth: {kind: bearer, token: {env: A}, key: s3cr3t}",
            "auth.key: unknown key; known here are kind, token, tokens",
        ),
        ("headers: {X-Key: [s3cr3t]}", "headers.X-Key: the value is not a text; write it in quotes"),
        ('headers: {X-Key: "s3cr3t\\n"}', "headers.X-Key: the value has what no header can carry"),
        ("headers: {authorization: Bearer s3cr3t}", "headers.authorization: holds a secret, which belongs in auth"),
        ("headers: s3cr3t", "headers: the value is not a mapping; write {key: value}"),
        ("headers: {X-Key: s3cr3t, X-Key: s3cr3t}", 'not valid YAML: found duplicate key "X-Key"; mend the line'),
        ("url: 'http://me:s3cr3t@h'", 'not valid YAML: found duplicate key "url"; mend the line'),
    ],
)
def test_what_may_be_a_secret_is_not_repeated(file: Path, keys: str, mistake: str) -> None:
    """Neither what stands in auth or in headers, nor a value of a key that is given twice."""
    (found,) = mistakes_of(file, api(keys))

    assert mistake in found
    assert SECRET not in found


@pytest.mark.parametrize(
    "url", ["http://me:s3cr3t@h/", "ftp://me:s3cr3t@h/", "http://me:s3cr3t@h/{x}", "http://s3cr3t@/"]
)
def test_the_password_of_an_address_is_not_repeated(file: Path, url: str) -> None:
    """Whatever is wrong with an address, its name and password are not told."""
    text = api("").replace("http://127.0.0.1/items", url)
    token_url = f"auth: {{kind: oauth2, token_url: '{url}', client_id: me, client_secret: {{env: A}}}}"

    (found,) = mistakes_of(file, text)
    (found_in_auth,) = mistakes_of(file, api(token_url))

    assert SECRET not in found + found_in_auth
    assert (found.split(":")[0], found_in_auth.split(":")[0]) == ("sources.rows", "sources.rows.auth.token_url")


def test_a_secret_in_headers_is_told_its_place(file: Path) -> None:
    """The cure sends the same header from where secrets are held."""
    (found,) = mistakes_of(file, api("headers: {Authorization: Token abc}"))

    assert found == (
        "sources.rows.headers.Authorization: holds a secret, which belongs in auth, where it is not stored; "
        "write auth: {kind: api_key, name: Authorization, key: {env: NAME}}"
    )


@pytest.mark.parametrize(
    ("tls", "mistake"),
    [
        ("{ca: company.pem}", ".ca: 'company.pem' is not a whole path; write one like /etc/ssl/company.pem"),
        (
            "{}",
            ": names no certificate; write ca: /etc/ssl/company.pem, or certificate and key, or take it out",
        ),
        (
            "{ca: /a.pem, key: /b.pem}",
            ": key is of a certificate; add certificate: /etc/ssl/me.pem, or take key out",
        ),
        ("{certificate: /a.pem, key_password: s3cr3t}", f".key_password: {NO_PLACE}"),
        ("{certificat: /a.pem}", ".certificat: unknown key; did you mean certificate?"),
    ],
)
def test_a_mistake_in_certificates_is_named_by_its_key(file: Path, tls: str, mistake: str) -> None:
    """For an API and for pages alike."""
    assert mistakes_of(file, api(f"tls: {tls}")) == [f"sources.rows.tls{mistake}"]
    assert mistakes_of(file, pages(f"columns: {{a: td}}, tls: {tls}")) == [f"sources.rows.tls{mistake}"]


def test_pages_are_asked_for_by_one_token(file: Path) -> None:
    """Their pace is that which robots.txt allows to one."""
    assert mistakes_of(file, pages("columns: {a: td}, auth: {kind: bearer, tokens: [{env: A}, {env: B}]}")) == [
        "sources.rows: auth.tokens: pages are asked for at the pace of one; write the one alone"
    ]


def test_a_key_of_several_is_named_by_its_place(file: Path) -> None:
    """In the order of the file."""
    file.write_text(api("auth: {kind: bearer, tokens: [{env: A}, {secret_block: b}]}"))

    auth = load_pipeline(file).fetched["rows"].auth

    assert auth is not None
    assert [key for key, _ in secret_references(auth)] == ["tokens.0", "tokens.1"]
