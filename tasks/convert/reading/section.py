"""The bytes of an open file, or of a part of it, read in the sizes asked for."""

from __future__ import annotations

from typing import Any

from tasks.errors import TableError


class Section:
    """So many bytes of a file from a place on, or all that are left; positions are counted from that place."""

    def __init__(self, file: Any, start: int = 0, size: int | None = None) -> None:
        self._file = file
        self._start = start
        self._size = size
        self.position = 0
        if start:
            file.seek(start)

    def read(self, size: int) -> bytes:
        """Return `size` bytes, fewer only at the end.

        Raises:
            TableError: the file, or the store it lies in, fails.

        """
        if self._size is not None:
            size = min(size, self._size - self.position)
        pieces: list[bytes] = []
        # A store gives what has come so far: less than was asked for is not the end.
        while size > 0 and (piece := self._read_once(size)):
            pieces.append(piece)
            size -= len(piece)
            self.position += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def return_to(self, position: int) -> bool:
        """Go back to a position; return whether the file can."""
        try:
            self._file.seek(self._start + position)
        except (OSError, ValueError):  # what is streamed can not, whatever its seekable() says
            return False
        self.position = position
        return True

    def _read_once(self, size: int) -> bytes:
        try:
            return bytes(self._file.read(size))
        except Exception as error:  # a store fails in its own ways
            reason = getattr(error, "strerror", None) or error
            raise TableError(f"cannot be read ({reason}); check the file and its permissions") from error
