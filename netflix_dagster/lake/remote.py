"""Tables in ADLS as Arrow reads them: their files are fetched whole, side by side, when rows are asked for.

Arrow reads them from memory then. Were it to read through a file system in Python, its threads could be in a call
back into Python when the interpreter ends, and the process would be aborted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from netflix_dagster import storage

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable
    from pyarrow.dataset import Dataset, Fragment

_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class RemoteDataset:
    """The files of one version of a table, and what its log says of them: ``listed`` is read by nobody.

    It has the methods of an Arrow dataset that are used here. DuckDB takes it as an Arrow stream, asks for the
    schema when a view is made of it, and for the rows each time they are needed.
    """

    folder: storage.Place
    listed: Dataset

    @classmethod
    def of(
        cls, folder: storage.Place, table: DeltaTable, where: list[tuple[str, str, Any]] | None = None
    ) -> RemoteDataset:
        """The table, or of its files those of the partitions that ``where`` selects."""
        from pyarrow.fs import LocalFileSystem, SubTreeFileSystem

        nowhere = SubTreeFileSystem("/", LocalFileSystem())  # the files are not opened through it
        return cls(folder, table.to_pyarrow_dataset(filesystem=nowhere, file_pruning_predicate=where))

    @property
    def schema(self) -> pa.Schema:
        return self.listed.schema

    def to_table(self, columns: list[str] | None = None, filter: Any = None) -> pa.Table:
        """All rows that the filter lets pass; of the other deliveries no file is fetched."""
        import pyarrow as pa

        schema = self._dataset([]).to_table(columns=columns).schema
        return pa.Table.from_batches(list(self.to_batches(columns, filter)), schema)

    def to_batches(self, columns: list[str] | None = None, filter: Any = None) -> Iterator[pa.RecordBatch]:
        """``to_table``, some files at a time."""
        fragments = iter(self.listed.get_fragments(filter))
        with ThreadPoolExecutor(_AT_ONCE) as side_by_side:
            while some := list(islice(fragments, _AT_ONCE)):
                fetched = side_by_side.map(self._fetched, some)
                yield from self._dataset(fetched).to_batches(columns=columns, filter=filter)

    def head(self, num_rows: int, columns: list[str] | None = None, filter: Any = None) -> pa.Table:
        """The first rows; no more files are fetched than hold them."""
        import pyarrow as pa

        found = [self._dataset([]).to_table(columns=columns)]
        for fragment in self.listed.get_fragments(filter):
            found.append(self._dataset([self._fetched(fragment)]).to_table(columns=columns, filter=filter))
            if sum(map(len, found)) >= num_rows:
                break
        return pa.concat_tables(found).slice(0, num_rows)

    def __arrow_c_schema__(self) -> Any:
        return self.schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self.to_table().__arrow_c_stream__(requested_schema)

    def _fetched(self, fragment: Fragment) -> Fragment:
        import pyarrow as pa

        data = storage.read(self.folder / unquote(fragment.path))
        return fragment.format.make_fragment(pa.py_buffer(data), partition_expression=fragment.partition_expression)

    def _dataset(self, fragments: Iterable[Fragment]) -> Dataset:
        from pyarrow.dataset import FileSystemDataset

        return FileSystemDataset(list(fragments), self.schema, self.listed.format)
