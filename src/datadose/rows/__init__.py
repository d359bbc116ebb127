"""Rows: read and check them, tell what they are, mix them at an exact dose, write them."""

from datadose.rows._fingerprint import fingerprint, near_duplicates, word_set
from datadose.rows._held_out import hold_out
from datadose.rows._ids import make_rows, row_id
from datadose.rows._lengths import closest_pairs, match_lengths
from datadose.rows._mix import Mix, house_monotone_order, mix_pool, rows_at
from datadose.rows._pool import (
    UnpairedPool,
    plain_answer,
    read_pool,
    require_answers,
    unpaired_pool,
)
from datadose.rows._probes import read_probes
from datadose.rows._public import (
    DataSet,
    check_data_set,
    data_set,
    data_sets,
    find_file,
    json_lines,
    place_data_set,
)
from datadose.rows._raw import raw_rows
from datadose.rows._read import RowsFile, read_rows, write_rows
from datadose.rows._sources import (
    SourceCheck,
    fit_words,
    length_difference,
    source_auroc,
    word_features,
)
from datadose.rows._swapped import SWAPPED, add_swapped, fill
from datadose.rows._unpaired import add_rows, mix_unpaired, pair_up, short_rows

__all__ = [
    "SWAPPED",
    "DataSet",
    "Mix",
    "RowsFile",
    "SourceCheck",
    "UnpairedPool",
    "add_rows",
    "add_swapped",
    "check_data_set",
    "closest_pairs",
    "data_set",
    "data_sets",
    "fill",
    "find_file",
    "fingerprint",
    "fit_words",
    "hold_out",
    "house_monotone_order",
    "json_lines",
    "length_difference",
    "make_rows",
    "match_lengths",
    "mix_pool",
    "mix_unpaired",
    "near_duplicates",
    "pair_up",
    "place_data_set",
    "plain_answer",
    "raw_rows",
    "read_pool",
    "read_probes",
    "read_rows",
    "require_answers",
    "row_id",
    "rows_at",
    "short_rows",
    "source_auroc",
    "unpaired_pool",
    "word_features",
    "word_set",
    "write_rows",
]
