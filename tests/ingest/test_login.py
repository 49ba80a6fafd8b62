"""Sessions: a request by which one logs in, what of its answer is sent, and sessions that end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tasks.core.errors import PermanentSourceError
from tests.ingest.sources import QUICK, api, land_one, read_rows
from tests.ingest.test_auth import sent_to
from tests.site.items import ITEMS
from tests.site.server import Site
from tests.site.sessions import PASSWORD, USER

ONE = QUICK | {"max_in_flight": 1, "start_in_flight": 1}
FORM: dict[str, Any] = {"form": {"user": USER}, "secrets": {"password": {"env": "TIDEMILL_TEST_SECRET"}}}
BODY: dict[str, Any] = {
    "body": {"login": {"user": USER}},
    "secrets": {"login.password": {"env": "TIDEMILL_TEST_SECRET"}},
}
TOKEN = {"token_at": "data.token"}


def login(site: Site, how: str = "token", **changes: Any) -> dict[str, Any]:
    """Return the auth of a session that a route of the site gives."""
    return {"kind": "login", "url": f"{site.url}/login/{how}", **changes}


def secrets_of(auth: dict[str, Any], secret: str = PASSWORD) -> dict[str, str]:
    """Return the secret of a login by its key."""
    return {f"secrets.{name}": secret for name in auth["secrets"]}


@pytest.mark.parametrize(
    ("how", "changes", "place"),
    [
        ("token", FORM | TOKEN, "bearer"),
        ("token", BODY | TOKEN, "bearer"),
        ("token", BODY | TOKEN | {"method": "PUT", "send_as": "header", "name": "X-Session"}, "header"),
        ("token", FORM | TOKEN | {"method": "GET", "send_as": "cookie", "name": "sid"}, "cookie"),
        ("cookies", FORM, "cookie"),
    ],
)
@pytest.mark.parametrize("ends", [False, True])
async def test_one_logs_in_once_and_again_where_the_session_ends(
    site: Site, tmp_path: Path, how: str, changes: dict[str, Any], place: str, ends: bool
) -> None:
    """Every page has what the answer gave, beside the cookies of the site; after a 401 one logs in again, once."""
    auth = login(site, how, **changes)
    source = api(site, f"/session/{place}{'?ends=1' if ends else ''}", auth=auth, requests=ONE)

    landed = await land_one(source, tmp_path, secrets_of(auth))

    assert read_rows(landed.path) == ITEMS
    assert len(sent_to(site, "/login/")) == 1 + ends
    cookies = [seen.headers.get("cookie", "") for seen in sent_to(site, "/session/")]
    assert ["seen=" in each for each in cookies] == [False, *[True] * (len(cookies) - 1)]


async def test_a_session_that_lasts_is_renewed_ahead(site: Site, tmp_path: Path) -> None:
    """One of a millisecond is for one page, and no request is refused."""
    auth = login(site, **(FORM | TOKEN | {"lasts": "0.001s"}))

    await land_one(api(site, "/session/bearer", auth=auth, requests=ONE), tmp_path, secrets_of(auth))

    assert len(sent_to(site, "/login/")) == len(sent_to(site, "/session/")) == 3


@pytest.mark.parametrize(
    ("how", "changes", "secret", "said"),
    [
        (
            "token",
            FORM | TOKEN,
            "of-yore-81",
            r"403 Forbidden: .*no such user: .*\*\*\*.*; check auth.url, auth.form, the secrets and auth.tok",
        ),
        ("token", BODY, PASSWORD, "200 OK: the keys 'data'; check auth.url, auth.body, the secrets$"),
        ("form-again", FORM, PASSWORD, "200 OK: text/html; charset=utf-8 without a cookie; check"),
        ("form-again", FORM | TOKEN, PASSWORD, "200 OK: text/html; charset=utf-8 without data.token; check"),
        ("token", FORM | {"token_at": "data.tokn"}, PASSWORD, "200 OK: the keys 'data'; check .* and auth.token_at$"),
        ("token", FORM | {"token_at": "data"}, PASSWORD, "200 OK: the keys 'data'; check"),
    ],
)
async def test_who_is_not_let_in_is_told_so(
    site: Site, tmp_path: Path, how: str, changes: dict[str, Any], secret: str, said: str
) -> None:
    """What the server says stands in one sentence, without the password, and nothing else is asked."""
    auth = login(site, how, **changes)

    with pytest.raises(PermanentSourceError, match=rf"^POST {site.url}/login/{how} gave no token but {said}") as error:
        await land_one(api(site, "/session/bearer", auth=auth), tmp_path, secrets_of(auth, secret))

    assert secret not in str(error.value)
    assert [seen.path for seen in site.seen] == [f"/login/{how}"]
