"""Rows: read and check them, tell what they are, mix them at an exact dose, write them."""

from datadose.rows._fingerprint import fingerprint, near_duplicates, word_set
from datadose.rows._ids import make_rows, row_id
from datadose.rows._mix import Mix, house_monotone_order, mix_pool, rows_at
from datadose.rows._pool import UnpairedPool, read_pool, require_answers, unpaired_pool
from datadose.rows._read import RowsFile, read_rows, write_rows
from datadose.rows._sources import SourceCheck, length_difference, source_auroc

__all__ = [
    "Mix",
    "RowsFile",
    "SourceCheck",
    "UnpairedPool",
    "fingerprint",
    "house_monotone_order",
    "length_difference",
    "make_rows",
    "mix_pool",
    "near_duplicates",
    "read_pool",
    "read_rows",
    "require_answers",
    "row_id",
    "rows_at",
    "source_auroc",
    "unpaired_pool",
    "word_set",
    "write_rows",
]
