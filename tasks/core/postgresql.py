"""PostgreSQL: its full address, and what its errors mean."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

from tasks.core.redaction import HIDDEN

PACKAGE = "adbc-driver-postgresql"
CURES = {
    "28P01": "correct the password, or the place where it is held",
    "3D000": "make the database, or correct its name",
    "3F000": "make the schema, or correct its name",
    "42501": "grant the right to it, or name another user or schema",
}
"""What to do, by the numbers of errors."""
_QUERY = re.compile(r"Failed to (?:execute|prepare) query(?: '.*')?: ", re.DOTALL)  # which may be of several lines
_NOISE = re.compile(
    r"^[A-Z_]+: |\[libpq\] |Execution error \[\w+\]: |PGRES_FATAL_ERROR |could not begin COPY: |(?:ERROR|FATAL): +|\.? SQLSTATE: \w+"
)
_CONNECTS_S = 30
_ASKED = {"connect_timeout": str(_CONNECTS_S), "application_name": "tidemill"}


def full_address(address: str, password: str | None, **asked: str) -> str:
    """Return an address with its password, for the driver alone, and with what is asked of the connection where the address does not say it."""
    query = urlsplit(address).query
    params = [f"{name}={quote(value, safe='')}" for name, value in (_ASKED | asked).items() if f"{name}=" not in query]
    params += [f"password={quote(password, safe='')}"] if password is not None else []
    return f"{address.rstrip('?')}{'&' if query else '?'}{'&'.join(params)}"


def say_error(error: BaseException, password: str | None) -> str:
    """Return what the driver says of an error, in one line, without the password."""
    said = _NOISE.sub("", _QUERY.sub("", str(error)).strip().splitlines()[0]).rstrip(" .:")
    for written in (quote(password, safe=""), password) if password else ():
        said = said.replace(written, HIDDEN)
    return said
