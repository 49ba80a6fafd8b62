"""Certificates of one's own: of authorities that a host is vouched for by, and of who asks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, model_validator

from tasks.config.auth import SecretReference
from tasks.config.base import ConfigModel


def _check_file(path: str) -> str:
    """Return the path of a file; raise ValueError where it depends on where a run is started."""
    if not Path(path).is_absolute():
        raise ValueError(f"{path!r:.200} is not a whole path; write one like /etc/ssl/company.pem")
    return path


CertificateFile = Annotated[str, AfterValidator(_check_file)]


class Tls(ConfigModel):
    """Certificates of one's own for a source's hosts, each as the whole path of a file in PEM."""

    ca: CertificateFile | None = None
    """Certificates of the authorities that vouch for the hosts, beside those that are known to all, e.g. /etc/ssl/company.pem."""
    certificate: CertificateFile | None = None
    """Certificate that proves who asks to the source's own hosts, and to the one that gives its tokens; with its chain, perhaps with its key."""
    key: CertificateFile | None = None
    """Private key of the certificate, unless it is in the same file."""
    key_password: SecretReference | None = None
    """Where the password of the key is held, if it has one: {env: NAME} or {secret_block: name}."""

    @model_validator(mode="after")
    def _is_of_something(self) -> Tls:
        if self.ca is None and self.certificate is None:
            raise ValueError(
                "names no certificate; write ca: /etc/ssl/company.pem, or certificate and key, or take it out"
            )
        for name in ("key", "key_password"):
            if getattr(self, name) is not None and self.certificate is None:
                raise ValueError(f"{name} is of a certificate; add certificate: /etc/ssl/me.pem, or take {name} out")
        return self
