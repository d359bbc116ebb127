"""Rows: ids, and training sets at an exact dose."""

from datadose.rows._ids import make_rows, row_id
from datadose.rows._mix import Mix, house_monotone_order, mix_pool, mix_sources, rows_at

__all__ = [
    "Mix",
    "house_monotone_order",
    "make_rows",
    "mix_pool",
    "mix_sources",
    "row_id",
    "rows_at",
]
