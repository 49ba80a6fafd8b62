"""Certificates of one's own: of the authority that vouches for a host, and of who asks, against servers of TLS that demand them."""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from tasks.core.errors import PermanentSourceError, SourceError
from tests.ingest.sources import QUICK, api, land_one, pages, read_rows
from tests.site.server import Site

PASSWORD = "key-password-5e"  # noqa: S105 - of the tests alone
HELD = {"key_password": {"env": "TIDEMILL_TEST_SECRET"}}
ROWS = [{"id": 1}]


class Authorities:
    """The files of an authority of one's own, of another one, and of who is vouched for by the first."""

    def __init__(self, folder: Path) -> None:
        self.own, other = trustme.CA(), trustme.CA()
        client, stranger = (authority.issue_cert("me@example.com") for authority in (self.own, other))
        key = client.private_key_pem.bytes()
        locked = load_pem_private_key(key, None).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PASSWORD.encode())
        )
        chain = client.cert_chain_pems[0].bytes()
        self._folder = folder
        self._write("ca", self.own.cert_pem.bytes())
        self._write("other-ca", other.cert_pem.bytes())
        self._write("certificate", chain)
        self._write("key", key)
        self._write("locked-key", locked)
        self._write("both", chain + key)
        self._write("stranger", stranger.private_key_and_cert_chain_pem.bytes())
        self._write("stranger-key", stranger.private_key_pem.bytes())
        self._write("nothing", b"no certificate\n")

    def _write(self, name: str, content: bytes) -> None:
        (self._folder / f"{name}.pem").write_bytes(content)

    def path(self, name: str) -> str:
        """Return the path of a file."""
        return str(self._folder / f"{name}.pem")

    def tls(self, **files: str) -> dict[str, Any]:
        """Return what a source says of files, by their names."""
        return {key: self.path(name) for key, name in files.items()}


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> Authorities:
    """Return the files."""
    return Authorities(tmp_path_factory.mktemp("authorities"))


class Server(ThreadingHTTPServer):
    """A server whose TLS is OpenSSL's own: it tells a client why it is refused, which asyncio's does not."""

    def __init__(self, context: ssl.SSLContext, body: bytes, kind: str, location: str | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.body, self.kind, self.location = body, kind, location
        self.asked: list[str] = []
        self.url = f"https://127.0.0.1:{self.server_port}"

    def handle_error(self, *_: object) -> None:
        """Say nothing of a client that is refused."""


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.asked.append(self.headers.get("Authorization", ""))
        self.send_response(302 if self.server.location else 200)
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.send_header("Content-Type", self.server.kind)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(
    authorities: Authorities,
    body: Any = ROWS,
    *,
    version: ssl.TLSVersion | None = None,
    kind: str = "application/json",
    location: str | None = None,
) -> Iterator[Server]:
    """Serve a body, by a certificate of the authority, to whoever has one of it; one that leads on, to all."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authorities.own.issue_cert("127.0.0.1").configure_cert(context)
    authorities.own.configure_trust(context)
    context.verify_mode = ssl.CERT_NONE if location else ssl.CERT_REQUIRED
    if version is not None:
        context.minimum_version = context.maximum_version = version
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    with Server(context, content, kind, location) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


SINGLE: dict[str, Any] = {"pagination": {"kind": "single"}, "records_at": None}


@pytest.mark.parametrize(
    ("files", "more", "secrets"),
    [
        ({"certificate": "certificate", "key": "key"}, {}, {}),
        ({"certificate": "both"}, {}, {}),
        ({"certificate": "certificate", "key": "locked-key"}, HELD, {"tls.key_password": PASSWORD}),
    ],
)
async def test_a_host_that_demands_a_certificate_is_shown_it(
    site: Site, tmp_path: Path, authorities: Authorities, files: dict[str, str], more: Any, secrets: dict[str, str]
) -> None:
    """Both sides are vouched for by an authority of one's own; the key may be in the same file, or have a password."""
    tls = authorities.tls(ca="ca", **files) | more
    with serving(authorities) as server:
        landed = await land_one(api(site, "", url=server.url, tls=tls, **SINGLE), tmp_path, secrets)

    assert read_rows(landed.path) == ROWS


async def test_pages_are_fetched_so_too(site: Site, tmp_path: Path, authorities: Authorities) -> None:
    """Of web pages as of an API."""
    tls = authorities.tls(ca="ca", certificate="both")
    with serving(authorities, b"<li><b>a</b></li>", kind="text/html") as server:
        landed = await land_one(pages(site, start=[server.url], tls=tls), tmp_path)

    assert read_rows(landed.path) == [{"name": "a"}]


async def test_the_server_of_tokens_is_shown_it_too(site: Site, tmp_path: Path, authorities: Authorities) -> None:
    """Which is vouched for by the same authority, and gives a token to whom it knows."""
    with serving(authorities, {"access_token": "token-of-tls"}) as giving, serving(authorities) as server:
        auth = {"kind": "oauth2", "token_url": giving.url, "client_id": "me", "client_secret": HELD["key_password"]}
        tls = authorities.tls(ca="ca", certificate="both")
        source = api(site, "", url=server.url, tls=tls, auth=auth, **SINGLE)
        landed = await land_one(source, tmp_path, {"client_secret": "of-the-client"})

    assert read_rows(landed.path) == ROWS
    assert server.asked == ["Bearer token-of-tls"]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("files", [{}, {"certificate": "stranger"}])
async def test_a_host_that_wants_another_certificate_is_one_error(
    site: Site, tmp_path: Path, authorities: Authorities, version: ssl.TLSVersion, files: dict[str, str]
) -> None:
    """The cure is told where none is named, or one of another authority, also where the connection breaks before it is said why."""
    with serving(authorities, version=version) as server:
        source = api(site, "", url=server.url, tls=authorities.tls(ca="ca", **files), requests=QUICK, **SINGLE)
        with pytest.raises(
            SourceError, match=rf"^GET {server.url}[: ].*[;,] .* in tls.certificate|which tls.certificate nam"
        ):
            await land_one(source, tmp_path)

    assert server.asked == []


async def test_a_certificate_is_shown_to_no_other_host(site: Site, tmp_path: Path, authorities: Authorities) -> None:
    """One that a redirect leads to is verified by the authority as well, and is shown none."""
    tls = authorities.tls(ca="ca", certificate="both")
    with serving(authorities) as server, serving(authorities, location=server.url) as moved:
        source = api(site, "", url=moved.url, tls=tls, allow_hosts=[server.url.removeprefix("https://")], **SINGLE)
        with pytest.raises(SourceError, match=rf"^GET {server.url}.*tls.certificate"):
            await land_one(source, tmp_path)

    assert (server.asked, len(moved.asked)) == ([], 1)


@pytest.mark.parametrize("tls", [None, {"ca": "other-ca"}])
async def test_a_host_whose_authority_is_not_named_is_one_error(
    site: Site, tmp_path: Path, authorities: Authorities, tls: dict[str, str] | None
) -> None:
    """The cure names the key."""
    with serving(authorities) as server:
        source = api(site, "", url=server.url, tls=authorities.tls(**tls) if tls else None, **SINGLE)
        with pytest.raises(
            PermanentSourceError,
            match=rf"^GET {server.url}: the certificate of 127.0.0.1 is not to be trusted \(self-signed "
            r"certificate in certificate chain\); .*, or name in tls.ca the authority that signed it$",
        ):
            await land_one(source, tmp_path)

    assert server.asked == []


@pytest.mark.parametrize(
    ("files", "secrets", "said"),
    [
        ({"ca": "gone"}, {}, r"tls.ca: .*gone.pem cannot be read \(No such file or directory\); correct the path"),
        ({"ca": "nothing"}, {}, "tls.ca: .*nothing.pem holds no certificate in PEM; name the file that does"),
        ({"certificate": "certificate", "key": "gone"}, {}, "tls.key: .*gone.pem cannot be read"),
        ({"certificate": "certificate"}, {}, "tls.key: .*certificate.pem holds no private key in PEM; name the file"),
        ({"certificate": "nothing", "key": "key"}, {}, "tls.certificate: .*nothing.pem holds no certificate in PEM"),
        (
            {"certificate": "certificate", "key": "stranger-key"},
            {},
            "tls.key: .*stranger-key.pem is not the key of the certificate .*certificate.pem; name the one that is",
        ),
        (
            {"certificate": "certificate", "key": "locked-key"},
            {},
            "tls.key_password: is missing for the key .*locked-key.pem, which is encrypted; name where its password",
        ),
        (
            {"certificate": "certificate", "key": "locked-key"},
            {"tls.key_password": "password-of-yore"},
            "tls.key_password: is not that of the key .*locked-key.pem, which is encrypted; name where",
        ),
    ],
)
async def test_files_that_are_none_are_told_before_a_request(
    site: Site, tmp_path: Path, authorities: Authorities, files: dict[str, str], secrets: dict[str, str], said: str
) -> None:
    """The key and the file are named, and what to do; no password is repeated."""
    tls = authorities.tls(**files) | (HELD if secrets else {})

    with pytest.raises(PermanentSourceError, match=f"^{said}") as error:
        await land_one(api(site, "/items", tls=tls), tmp_path, secrets)

    assert site.seen == []
    assert not re.search("password-of-yore", str(error.value))
