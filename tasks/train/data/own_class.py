"""Classes of the user's own, of packages that a pipeline file trusts: loaded, and asked for in a process that may be killed."""

from __future__ import annotations

import inspect
from collections.abc import Collection
from contextlib import redirect_stdout
from importlib import import_module
from io import StringIO
from typing import Any

from tasks.config.trusted import covers
from tasks.core.errors import ConfigError
from tasks.core.isolation.client import leave_call_server, run_isolated

_QUIETLY = "tasks.train.data.own_class:call_quietly"
LOOK_S = 20.0  # what takes longer is left to the run


def ask_own(function: str, *arguments: object) -> Any:
    """Return what a function `module:function` says of classes of the user's own, which another process loads.

    It is a `Failed` where that process fails or ends, and None where it takes too long to be waited for.
    """
    call = run_isolated(_QUIETLY, function, *arguments, time_s=LOOK_S, preload=("sklearn.base",))
    leave_call_server()
    return None if call.ended == "time" else call.outcome


def call_quietly(function: str, *arguments: object) -> Any:
    """Return what a function `module:function` returns; what is written meanwhile is dropped: it would stand among what a command tells."""
    module, _, name = function.partition(":")
    with redirect_stdout(StringIO()):
        return getattr(import_module(module), name)(*arguments)


def load_own(path: str, trusted: Collection[str]) -> type[Any]:
    """Return the class that a path `package.module.Class` leads to; it is defined in a package that is trusted, too.

    Raises:
        ConfigError: the package is not trusted or not installed, or has no such class of its own.

    """
    module, _, name = path.rpartition(".")
    if not covers(trusted, module):
        raise ConfigError(
            f"{path!r} is of no package that training.trusted names; name its package there if its code is to be run"
        )
    package = module.partition(".")[0]
    try:
        imported = import_module(module)
    except ModuleNotFoundError as error:
        if error.name == package:
            raise ConfigError(
                f"{path!r} needs the package {package}, which is not installed; install it where the run takes place"
            ) from None
        if f"{module}.".startswith(f"{error.name}."):
            raise ConfigError(f"{path!r}: there is no module {error.name}; correct the path") from None
        raise ConfigError(f"{path!r}: {module} needs {error.name}, which is not installed; install it") from None
    except Exception as error:
        raise ConfigError(f"{path!r}: cannot be imported ({tell_error(error)}); mend the module") from error
    found = getattr(imported, name, None)
    if not inspect.isclass(found):
        there = "is no class" if found is not None else "is not there"
        raise ConfigError(f"{path!r}: {there}; name a class of {module}")
    if not covers(trusted, found.__module__):
        where = f"{found.__module__}.{found.__qualname__}"
        raise ConfigError(f"{path!r}: is {where}, of a package that training.trusted does not name; name it there")
    return found


def tell_error(error: BaseException) -> str:
    """Return the kind of an error and what it says, on one line."""
    return " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".")[:300]
