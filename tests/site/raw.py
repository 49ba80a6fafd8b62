"""Servers below HTTP: answers sent as they are, and TLS that nobody vouches for."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

CERTIFICATE = "certificate.pem"


@asynccontextmanager
async def serving_raw(
    *answers: bytes | Callable[[str], bytes], tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Serve answers as they are, or as made of the server's address, one for each request in turn; yield the address and what was asked."""
    asked: list[bytes] = []
    address = ""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                asked.append(await reader.readuntil(b"\r\n\r\n"))
                answer = answers[min(len(asked), len(answers)) - 1]
                writer.write(answer if isinstance(answer, bytes) else answer(address))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls) as server:
        host, port = server.sockets[0].getsockname()
        address = f"{'http' if tls is None else 'https'}://{host}:{port}"
        yield address, asked


def self_signed(folder: Path) -> ssl.SSLContext:
    """Return what makes a server of TLS that nobody vouches for."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = folder / "key.pem", folder / CERTIFICATE
    kinds = Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    files[0].write_bytes(key.private_bytes(*kinds))
    files[1].write_bytes(certificate.public_bytes(Encoding.PEM))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files[1], files[0])
    return context
