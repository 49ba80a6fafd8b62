"""What the clients of a Prefect API are told beside its address."""

from __future__ import annotations

import ssl

import pytest

from flows.cli.prefect_api import CLIENT_SETTINGS, client_settings, prefect_api
from tasks.core.errors import ServerError


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_a_plain_api_on_this_machine_takes_one_authority(host: str) -> None:
    """The file that is named is one that TLS can be set up with, of a single certificate."""
    settings = client_settings(f"http://{host}:4200/api")

    context = ssl.create_default_context(cafile=settings.pop("PREFECT_API_SSL_CERT_FILE"))

    assert len(context.get_ca_certs()) == 1
    assert not settings


def test_an_address_that_is_none_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told where the API is first asked, with the cure."""
    for name in CLIENT_SETTINGS:  # which stay set
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("PREFECT_API_URL", "http://[::1/api")

    with (
        prefect_api(verbose=False) as api,
        pytest.raises(ServerError, match=r"http://\[::1/api cannot be reached \(.*\); .* unset PREFECT_API_URL"),
    ):
        api.wait_until_ready()


@pytest.mark.parametrize("url", ["https://127.0.0.1:4200/api", "http://prefect.example/api", "https://prefect.example"])
def test_any_other_api_is_checked_with_all_authorities(url: str) -> None:
    """An address with TLS, or one that may send us on to such, is left as Prefect has it."""
    assert client_settings(url) == {}
