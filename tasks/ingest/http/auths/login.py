"""A session: a request by which one logs in, and whose answer holds a token or sets cookies."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, field_validator, model_validator

from tasks.config.auth import Proof, SecretReference, Token, TokenAnswer, TokenAuth, TokenRequest
from tasks.config.base import BodyPath, Duration, NonEmpty
from tasks.config.http import check_header_name
from tasks.core.body_paths import items_of, members_of, put_at, walk
from tasks.core.redaction import is_secret
from tasks.ingest.http.auths.token_server import check_token_address


class LoginAuth(TokenAuth):
    """A token, or cookies, that a request gives by which one logs in; it is made again where a token is refused."""

    kind: Literal["login"] = "login"
    """Kind of authentication."""
    url: str
    """Address by which one logs in."""
    method: Literal["POST", "PUT", "GET"] = "POST"
    """Method of the request; what a GET sends stands in its address."""
    form: dict[str, str] = {}
    """Fields of a form that are no secrets, e.g. {user: reader}."""
    body: dict[str, JsonValue] | None = None
    """JSON body without its secrets, e.g. {login: {user: reader}}; with it there is no form."""
    secrets: Annotated[dict[NonEmpty, SecretReference], Field(min_length=1)]
    """Where secrets are held, by the fields of the form, or the paths in the body, that they stand in, e.g. {password: {env: SHOP_PASSWORD}} or {login.password: {env: SHOP_PASSWORD}}."""
    token_at: BodyPath | None = None
    """Path in the answer to the token, e.g. data.token; without it what is sent are the cookies that the answer sets."""
    send_as: Literal["bearer", "header", "cookie"] = "bearer"
    """How the token is sent: in the Authorization header, in one of its own, or as a cookie."""
    name: NonEmpty | None = None
    """Name of the header, or of the cookie, e.g. X-Session."""
    lasts: Duration | None = None
    """Time after which a new one is asked for, e.g. 30m; without it only when it is refused with 401."""

    _is_address = field_validator("url")(check_token_address)

    @field_validator("lasts")
    @classmethod
    def _is_some_time(cls, value: timedelta | None) -> timedelta | None:
        if value == timedelta():
            raise ValueError("0s is no time; write one like 30m, or leave lasts out")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> LoginAuth:
        if self.body is not None and (self.form or self.method == "GET"):
            key = "form" if self.form else "method: GET"
            raise ValueError(f"body is what is sent as JSON, and {key} does not go with it; take one of them out")
        for name in _secret_names(self.form, "form") if self.body is None else _secret_names(self.body, "body"):
            raise ValueError(f"{name} holds a secret, which belongs in secrets; name there where it is held")
        for path in self.secrets:
            if path in self.form:
                raise ValueError(f"form.{path} is in secrets too; take it out of form")
            try:
                put_at(self.body or {}, path, "") if self.body is not None else None
            except KeyError as error:
                raise ValueError(f"secrets.{path}: body has no {error.args[0]}; add it, or correct the path") from None
        named = self.token_at is not None and self.send_as != "bearer"
        if named != (self.name is not None) or (self.token_at is None and self.send_as != "bearer"):
            raise ValueError(
                "send_as: header and send_as: cookie need a token_at and a name, and nothing else has one; "
                "write send_as: header, name: X-Session, or leave name out"
            )
        if self.name is not None and self.send_as == "header":
            check_header_name(self.name)
        return self

    @property
    def address(self) -> str:
        """Return the address of what gives tokens."""
        return self.url

    @property
    def cure(self) -> str:
        """Return what to check where one is not let in."""
        sent = "auth.form" if self.body is None else "auth.body"
        return f"auth.url, {sent}, the secrets" + (" and auth.token_at" if self.token_at else "")

    @property
    def wanted(self) -> str:
        """Return what an answer has to have."""
        return "a cookie" if self.token_at is None else self.token_at

    def token_request(self, secrets: Mapping[str, str]) -> TokenRequest:
        """Return the request by which one logs in."""
        held = {path: secrets[f"secrets.{path}"] for path in self.secrets}
        if self.body is None:
            return TokenRequest(self.url, {**self.form, **held}, method=self.method)
        body: Any = self.body
        for path, secret in held.items():
            body = put_at(body, path, secret)
        return TokenRequest(self.url, body, method=self.method, is_form=False)

    def token(self, answer: TokenAnswer) -> Token | None:
        """Return the token, or the cookies, of an answer."""
        lasts_s = self.lasts.total_seconds() if self.lasts is not None else math.inf
        if self.token_at is None:
            cookies = answer.cookies if answer.is_success else {}
            proofs = tuple(Proof("cookie", name, value) for name, value in cookies.items())
            return Token(proofs, lasts_s, tuple(cookies.values())) if proofs else None
        found = walk(answer.value, self.token_at, members_of, items_of)
        if not answer.is_success or found.missing is not None or not isinstance(found.last, str | int):
            return None
        token = str(found.last)
        if not token or not (token.isascii() and token.isprintable()):
            return None
        match self.send_as:
            case "bearer":
                proof = Proof("header", "Authorization", f"Bearer {token}")
            case "header" | "cookie":
                assert self.name is not None  # see above
                proof = Proof(self.send_as, self.name, token)
        return Token((proof,), lasts_s, (token,))


def _secret_names(fields: Mapping[str, Any], within: str) -> Iterator[str]:
    """Yield the paths of fields that are secrets by their names."""
    for name, value in fields.items():
        if isinstance(value, dict):
            yield from _secret_names(value, f"{within}.{name}")
        elif isinstance(value, str) and is_secret(name, value):
            yield f"{within}.{name}"
