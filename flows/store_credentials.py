"""The credentials of a bucket that is the data folder, where a Secret block holds them."""

from __future__ import annotations

import asyncio
import os

import msgspec

from tasks.core.bucket.opened import rebuild_stores
from tasks.core.errors import ConfigError, PermanentSourceError

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
    from tasks.ingest.tasks import read_block  # noqa: PLC0415 - which imports for a second, where a block is named

    try:
        held = await read_block(BLOCK, name)
    except PermanentSourceError as error:
        raise ConfigError(str(error)) from None
    os.environ.update(_read(name, held))
    await asyncio.to_thread(rebuild_stores)


def _read(name: str, held: object) -> dict[str, str]:
    try:
        found = msgspec.json.decode(held) if isinstance(held, str) else held
        return msgspec.convert(found, dict[str, str])
    except msgspec.MsgspecError:  # whose message may show what is held
        raise ConfigError(
            f"{BLOCK}: the Secret block {name!r} holds no JSON object of environment variables; write it as "
            '{"AWS_ACCESS_KEY_ID": "…", "AWS_SECRET_ACCESS_KEY": "…"}'
        ) from None
