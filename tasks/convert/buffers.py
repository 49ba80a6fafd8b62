"""Room for the bytes of blocks, used again: new pages and their zeros took a twentieth of a conversion."""

from __future__ import annotations

from threading import Lock


class Buffers:
    """Buffers that are free; any thread may take one, or give one back once nobody looks at it.

    There are never more of them, free or not, than were in use at once.
    """

    def __init__(self) -> None:
        self._free: list[bytearray] = []
        self._sizes: set[int] = set()
        self._lock = Lock()

    def take(self, size: int) -> bytearray:
        """Return a buffer of at least so many bytes, whatever they are, and of a size that was taken."""
        with self._lock:
            self._sizes.add(size)
            self._free.sort(key=len)
            for place, buffer in enumerate(self._free):
                if len(buffer) >= size:
                    return self._free.pop(place)
            if self._free:
                del self._free[0]  # too small, as all are: the new one takes its place
        return bytearray(size)

    def give(self, buffer: bytes | bytearray) -> None:
        """Have a buffer used again, if it is of a size that was taken."""
        with self._lock:
            if isinstance(buffer, bytearray) and len(buffer) in self._sizes:
                self._free.append(buffer)
