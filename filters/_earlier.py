"""A dataset that was built before, in its folder: what it holds is read from its metadata alone.

It is known by its content, the hashes of its metadata files in build.json, wherever the folder lies.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..builder.contract.clip import Columns
from ..builder.contract.errors import RunError
from ..builder.contract.identity import json_hash

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Earlier:
    """`files`: path below the folder and sha256 of each file of metadata, in order."""

    folder: Path
    name: str
    columns: Columns
    files: tuple[tuple[str, str], ...]

    def digest(self) -> str:
        """Names the rows that it holds."""
        return json_hash(self.files)

    def read(self, columns: list[str]) -> pa.Table:
        """Of all its clips, in order. Raises RunError where a file is not the one that was built."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        return pa.concat_tables(
            [pq.read_table(pa.BufferReader(self._bytes(*file)), columns=columns) for file in self.files]
        )

    def _bytes(self, path: str, sha256: str) -> bytes:
        try:
            content = (self.folder / path).read_bytes()
        except OSError as error:
            raise RunError(f"{self.folder / path}: {error.strerror}; build that dataset again") from error
        if hashlib.sha256(content).hexdigest() != sha256:
            raise RunError(f"{self.folder / path}: not as build.json has it; build that dataset again")
        return content


def earlier(folder: Path) -> Earlier:
    """The finished dataset in a folder. Raises ValueError."""
    try:
        record = json.loads((folder / "build.json").read_text("utf-8"))
        files = tuple(
            (file["path"], file["sha256"]) for file in record["files"] if file["path"].startswith("metadata/")
        )
        return Earlier(folder, f"{record['name']} {record['version']}", dict(record["columns"]), files)
    except FileNotFoundError:
        raise ValueError(f"{folder}: no finished dataset (it has no build.json); give the folder of one") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise ValueError(f"{folder / 'build.json'} is not what a build writes; build that dataset again") from None
