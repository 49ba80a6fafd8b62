"""Room for the bytes of blocks, used again: new pages and their zeros took a twentieth of a conversion."""

from __future__ import annotations


class Buffers:
    """Buffers that are free; any thread may take one, or give one back once nobody looks at it."""

    def __init__(self) -> None:
        self._free: dict[int, list[bytearray]] = {}

    def take(self, size: int) -> bytearray:
        """Return a buffer of so many bytes, whatever they are."""
        try:
            return self._free.setdefault(size, []).pop()
        except IndexError:
            return bytearray(size)

    def give(self, buffer: bytes | bytearray) -> None:
        """Have a buffer used again, if it is of a size that was taken."""
        free = self._free.get(len(buffer))
        if free is not None and isinstance(buffer, bytearray):
            free.append(buffer)
