"""The credentials of a bucket that is the data folder, from a Secret block."""

from __future__ import annotations

import os

import pytest
from prefect.blocks.system import Secret

from flows.store_credentials import BLOCK, take_credentials
from tasks.core.errors import ConfigError

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]

NAME = "store-of-test"


@pytest.mark.parametrize("held", ['{"TIDEMILL_TEST_KEY": "k"}', {"TIDEMILL_TEST_KEY": "k"}])
async def test_variables_of_a_block_are_those_of_the_process(monkeypatch: pytest.MonkeyPatch, held: object) -> None:
    """Whether the block holds a text or JSON."""
    monkeypatch.setenv("TIDEMILL_TEST_KEY", "")
    monkeypatch.setenv(BLOCK, NAME)
    await Secret(value=held).asave(NAME, overwrite=True)

    await take_credentials()

    assert os.environ["TIDEMILL_TEST_KEY"] == "k"


async def test_a_block_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """With where it is made."""
    monkeypatch.setenv(BLOCK, "no-such-block")

    with pytest.raises(ConfigError, match=rf"{BLOCK}: there is no Secret block 'no-such-block'; make it on the UI's"):
        await take_credentials()


async def test_a_block_that_holds_something_else_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without what it holds."""
    monkeypatch.setenv(BLOCK, NAME)
    await Secret(value="very-secret").asave(NAME, overwrite=True)

    with pytest.raises(ConfigError, match=rf"'{NAME}' holds no JSON object of environment variables") as error:
        await take_credentials()

    assert "very-secret" not in str(error.value)
