"""Redaction: what proves who asks, taken out of addresses wherever they are shown or kept."""

from __future__ import annotations

import re
from base64 import b64encode
from functools import lru_cache
from itertools import pairwise
from urllib.parse import unquote, urlsplit, urlunsplit

HIDDEN = "***"

_USER_INFORMATION = re.compile(r"(?<=://)[^/?#\s'\"<>@]*+@")
_WEB_USER = re.compile(r"(?<=http://)[^/?#\s'\"<>]*@|(?<=https://)[^/?#\s'\"<>]*@", re.IGNORECASE)
_PARAM = re.compile(r"(?P<before>[?&;#]|^)(?P<name>[^\s?&;#=/'\"<>]{1,100})=(?P<value>[^\s&#;'\"<>]*)")
_QUOTED_PARAM = re.compile(
    r"(?P<before>%(?:25)*(?:3f|26|23|3b))(?P<name>(?:(?!%(?:25)*(?:3f|26|23|3b|3d))[^\s?&#=/'\"<>]){1,100})"
    r"(?P<equals>%(?:25)*3d)(?P<value>(?:(?!%(?:25)*(?:26|23))[^\s&#'\"<>])*)",
    re.IGNORECASE,
)
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")

_SECRET = frozenset(
    {
        "accesskey", "accesstoken", "apikey", "appid", "authorization", "authtoken", "bearer", "credential", "credentials",
        "hmac", "jsessionid", "jwt", "phpsessid", "sessionid", "passphrase", "passwd", "password", "pwd", "secret", "sig", "signature", "token", "tokens",
    }
)  # fmt: skip
"""Words in the name of a parameter whose value proves who asks."""
_DOUBTFUL = frozenset({"appid", "secret", "sig", "signature", "token", "tokens"})
"""Those of the words that mean something else too: max_tokens, token=ETH, appid=440."""
_CERTAIN = _SECRET - _DOUBTFUL
_LONG_WORD = 5  # shorter ones end other words
_PERHAPS = frozenset({"auth", "credential", "key", "pass", "session", "sid", "ticket"})
"""Words that mean that only where the value is a long one, and no word."""
_OF_PAGES = frozenset({"page", "next", "prev", "previous", "skip", "continuation", "cursor", "sync", "csrf"})
"""Words beside which a token is a place in a list, and proves nothing."""
_KEYS = frozenset({"access", "api", "app", "client", "consumer", "private", "subscription"})
"""Words beside which a key proves who asks."""
_BESIDE_KEYS = frozenset({"key", "secret", "token", "tokens"})
_LONG = 16
_NAMES_KEPT = 1024  # of parameters: the addresses of a crawl have the same in each
_CLOSING = ":,.)"  # of the sentence that an address stands in

_SIGNED_BY = ("x-amz-signature", "x-goog-signature", "signature", "sig")
_OF_A_SIGNATURE = frozenset(
    {
        "signature", "expires", "key-pair-id", "policy", "awsaccesskeyid", "googleaccessid", "hash-algorithm",
        "sig", "se", "sp", "sv", "sr", "st", "ss", "srt", "spr", "sip", "skoid", "sktid", "skt", "ske", "sks", "skv", "sdd",
    }
)  # fmt: skip
"""Parameters that come with a signature, of Amazon, Google and Azure, and change with it."""


def redact(text: str) -> str:
    """Return a text in which no address holds a user's name and password, or a parameter that proves who asks."""
    if "://" in text:
        text = _USER_INFORMATION.sub(_hide_user, _WEB_USER.sub(f"{HIDDEN}@", text))
    if "=" in text:
        text = _PARAM.sub(_hide, text)
    return _QUOTED_PARAM.sub(_hide, text) if "%" in text else text


def name_address(url: str) -> str:
    """Return what an address is called and known by: without secrets, and without a signature, which is another each time."""
    parts = urlsplit(url)
    params = parts.query.split("&")
    names = {param.partition("=")[0].lower() for param in params}
    if names.intersection(_SIGNED_BY):
        query = "&".join(param for param in params if not _is_of_signature(param.partition("=")[0].lower()))
        url = urlunsplit(parts._replace(query=query))
    return redact(url)


def has_secret(text: str) -> bool:
    """Return whether an address, or a text, holds what `redact` takes out."""
    return redact(text) != text


def is_secret(name: str, value: str | None = None) -> bool:
    """Return whether a parameter, header or variable of this name proves who asks; without a `value` it may well."""
    told = _tell_by_name(name)
    return (value is None or _looks_random(value)) if told is None else told


@lru_cache(_NAMES_KEPT)
def _tell_by_name(name: str) -> bool | None:
    """Return whether what has this name proves who asks; None where its value tells."""
    found = _words_of(name)
    if any(_ends_in_secret(word) for word in found):
        return not (found & {"token", "tokens"} and found & _OF_PAGES)
    if "key" in found and found & _KEYS:
        return True
    return None if found & _PERHAPS else False


def is_certain_secret(name: str, value: str) -> bool:
    """Return whether a parameter proves who asks beyond doubt: where its name may mean something else, its value tells."""
    if not is_secret(name, value):
        return False
    found = _words_of(name)
    is_beside = bool(found & _KEYS and found & _BESIDE_KEYS)
    return is_beside or _looks_random(value) or any(_ends_in_secret(word, _CERTAIN) for word in found)


def _words_of(name: str) -> set[str]:
    """Return the words of a name, each with the next, and all of them in one."""
    words = [word.lower() for word in _WORD.findall(unquote(name))]
    return {*words, "".join(words), *(one + other for one, other in pairwise(words))}


def _ends_in_secret(word: str, secrets: frozenset[str] = _SECRET) -> bool:
    """Return whether a word is that of a secret, or ends in one: pgpassword, but not pagetoken."""
    return word in secrets or any(
        len(secret) >= _LONG_WORD and word.endswith(secret) and word.removesuffix(secret) not in _OF_PAGES
        for secret in secrets
    )


def _looks_random(value: str) -> bool:
    return len(value) >= _LONG and any(c.isdigit() for c in value) and any(c.isalpha() for c in value)


def _is_of_signature(name: str) -> bool:
    return name in _OF_A_SIGNATURE or name.startswith(("x-amz-", "x-goog-"))


def _hide_user(match: re.Match[str]) -> str:
    """Return user information hidden where it has a password; a name alone may be a container: abfs://container@account."""
    return f"{HIDDEN}@" if ":" in match[0] else match[0]


def _hide(match: re.Match[str]) -> str:
    if not match["value"] or not is_secret(match["name"], unquote(match["value"])):
        return match[0]
    equals = match.groupdict().get("equals") or "="
    after = match["value"][len(match["value"].rstrip(_CLOSING)) :]
    return f"{match['before']}{match['name']}{equals}{HIDDEN}{after}"


def basic_pair(username: str, password: str) -> str:
    """Return a name and a password as basic authentication sends them (RFC 7617)."""
    return b64encode(f"{username}:{password}".encode()).decode()
