"""One member of a .zip, decompressed piece by piece."""

from __future__ import annotations

import bz2
import struct
import zipfile
import zlib
from collections.abc import Sequence
from typing import Any, Protocol

from tasks.convert.files.content import is_litter
from tasks.convert.files.decompression import Compression, DamagedError, Decompressed, Section, inflate
from tasks.core.errors import TableError

_LOCAL_HEADER = struct.Struct("<26x2H")  # before a member's bytes: the lengths of its name and of its extra field
_ENCRYPTED = 0x1
_NAMES_SHOWN = 5
_DECODERS = {
    zipfile.ZIP_DEFLATED: inflate(-15),
    zipfile.ZIP_BZIP2: Compression(bz2.BZ2Decompressor, in_order=False),
}


class Readable(Protocol):
    """What gives bytes: some, at most as many as asked for, or none at the end."""

    def read(self, size: int) -> bytes:
        """Return some bytes."""


class Member:
    """A member's bytes, its checksum compared when all of them are read; `packed_bytes` is what it takes up."""

    def __init__(self, file: Any, member: str | None) -> None:
        info = _choose(file, member)
        self.packed_bytes = info.compress_size
        self._info = info
        self._checksum = 0
        self._bytes = _unpack(file, info)

    @property
    def name(self) -> str:
        """Return its name."""
        return self._info.filename

    def read(self, size: int) -> bytes:
        """Return some bytes, at most `size`, or none at the end.

        Raises:
            DamagedError: nothing more can be had, or what was had is not what was packed.
            TableError: the file cannot be read.

        """
        piece = self._bytes.read(size)
        self._checksum = zlib.crc32(piece, self._checksum)
        if not piece and self._checksum != self._info.CRC:
            raise DamagedError(f"Bad CRC-32 for file {self.name!r}", self.packed_bytes)
        return piece


def _choose(file: Any, member: str | None) -> zipfile.ZipInfo:
    """Return the member that is asked for, else the only one.

    Raises:
        TableError: there is none such, or it cannot be told which one is meant.

    """
    try:
        infos = [info for info in zipfile.ZipFile(file).infolist() if not info.is_dir()]
    except Exception as error:  # what is damaged fails anywhere
        raise TableError(f"is not a whole .zip ({error}); fetch the file again") from error
    infos = [info for info in infos if info.filename == member or not is_litter(info.filename)]
    names = [info.filename for info in infos]
    if member is None and len(names) != 1:
        raise TableError(f"holds {len(names)} files ({_listed(names)}); name one as read.member")
    if member is not None and member not in names:
        raise TableError(f"holds no file {member!r} but {_listed(names)}; correct read.member")
    info = infos[0 if member is None else names.index(member)]
    if info.flag_bits & _ENCRYPTED:
        raise TableError(f"its member {info.filename!r} is encrypted; decompress it first")
    return info


def _unpack(file: Any, info: zipfile.ZipInfo) -> Readable:
    """Return the bytes of a member, unlike zipfile also those before a damage."""
    if info.compress_type not in (zipfile.ZIP_STORED, *_DECODERS):
        raise TableError(f"its member {info.filename!r} is compressed in a way that is not known; decompress it first")
    try:
        file.seek(info.header_offset)
        header = file.read(_LOCAL_HEADER.size)
    except (OSError, ValueError):  # a damaged directory may tell of a place before the file's first byte
        header = b""
    if len(header) < _LOCAL_HEADER.size or not header.startswith(b"PK\3\4"):
        raise TableError(
            f"is not a whole .zip (its member {info.filename!r} is not where it should be); fetch the file again"
        )
    start = info.header_offset + _LOCAL_HEADER.size + sum(_LOCAL_HEADER.unpack(header))
    section = Section(file, start, info.compress_size)
    if info.compress_type == zipfile.ZIP_STORED:
        return section
    return Decompressed(section, _DECODERS[info.compress_type])


def _listed(names: Sequence[str]) -> str:
    more = [f"{len(names) - _NAMES_SHOWN} more"] if len(names) > _NAMES_SHOWN else []
    return ", ".join([*names[:_NAMES_SHOWN], *more]) or "none"
