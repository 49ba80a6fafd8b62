"""The credentials of a bucket that is the data folder, where a Secret block holds them."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import msgspec
from prefect.blocks.system import Secret

from tasks.core.bucket.opened import reopen
from tasks.core.errors import ConfigError

BLOCK = "TIDEMILL_STORE_BLOCK"
"""The variable that names the block: a JSON object of environment variables, as AWS_SECRET_ACCESS_KEY."""


async def take_credentials() -> None:
    """Have the variables of the block that the environment names in the environment of this process, and of those that it starts.

    Raises:
        ConfigError: there is no such block, or it holds something else.

    """
    name = os.environ.get(BLOCK)
    if not name:
        return
    try:
        block: Secret[Any] = await Secret.aload(name)
    except ValueError:
        raise ConfigError(
            f"{BLOCK}: there is no Secret block {name!r}; make it on the UI's Blocks page, type Secret"
        ) from None
    os.environ.update(_read(name, block.get()))
    await asyncio.to_thread(reopen)


def _read(name: str, held: object) -> dict[str, str]:
    try:
        found = msgspec.json.decode(held) if isinstance(held, str) else held
        return msgspec.convert(found, dict[str, str])
    except msgspec.MsgspecError:  # whose message may show what is held
        raise ConfigError(
            f"{BLOCK}: the Secret block {name!r} holds no JSON object of environment variables; write it as "
            '{"AWS_ACCESS_KEY_ID": "…", "AWS_SECRET_ACCESS_KEY": "…"}'
        ) from None
