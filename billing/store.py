"""Files of cost lines: immutable, each called by its own SHA-256."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from uuid import uuid4

from governance.errors import Unavailable


class StoreUnavailable(Unavailable):
    title = "The store of cost lines cannot be used"


@dataclass(frozen=True, slots=True)
class Store:
    """A folder that the service and its workers share."""

    folder: Path

    def file(self, sha256: str) -> Path:
        """Where a file of lines is."""
        return self.folder / "lines" / f"{sha256}.parquet"

    def incoming(self, name: str) -> Path:
        """Where a file waits that somebody sent. Raises StoreUnavailable."""
        return self._made("incoming") / name

    def forget(self, before: datetime) -> int:
        """Remove what was sent, or half made, before a time. Returns how many files went."""
        old = [
            one
            for name in ("incoming", "making")
            for one in self._made(name).iterdir()
            if one.stat().st_mtime < before.timestamp()
        ]
        for one in old:
            rmtree(one, ignore_errors=True) if one.is_dir() else one.unlink(missing_ok=True)
        return len(old)

    @contextmanager
    def room(self) -> Iterator[Path]:
        """A place to write a file; it is gone afterwards, unless it was kept."""
        place = self._made("making") / f"{uuid4().hex}.parquet"
        try:
            yield place
        finally:
            place.unlink(missing_ok=True)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder for files that are fetched; it is gone afterwards."""
        with TemporaryDirectory(dir=self._made("making")) as folder:
            yield Path(folder)

    def keep(self, made: Path) -> str:
        """Keep a file that was made in the room, on the disk for good. Returns its SHA-256."""
        found = sha256_of(made)
        self._made("lines")
        with made.open("rb") as written:
            os.fsync(written.fileno())
        made.replace(self.file(found))
        return found

    def _made(self, name: str) -> Path:
        place = self.folder / name
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnavailable(
                f"{place} cannot be made: {error.strerror}.", field="billing.folder", remedy="Mend its rights."
            ) from None
        return place


def sha256_of(file: Path) -> str:
    """SHA-256 of a file, in hex."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def sha256_of_all(files: Sequence[Path]) -> str:
    """SHA-256 over those of several files, in their order; of one alone, its own."""
    each = [sha256_of(one) for one in files]
    return each[0] if len(each) == 1 else hashlib.sha256("".join(each).encode()).hexdigest()
