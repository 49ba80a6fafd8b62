"""Files that systems and programs leave beside those of a user: no input, whatever they end in."""

from __future__ import annotations

import re

# Of macOS, Windows, and the owner files that Office and LibreOffice keep beside an open document.
_LITTER = re.compile(
    r"(^|.*/)(__MACOSX/.*|\._[^/]*|\.DS_Store|Thumbs\.db|ehthumbs\.db|desktop\.ini|~\$[^/]*|\.~lock\.[^/]*#)",
    re.IGNORECASE | re.DOTALL,
)


def is_litter(name: str) -> bool:
    """Return whether a file below a folder, or in an archive, is no file of a user."""
    return _LITTER.fullmatch(name.replace("\\", "/")) is not None
