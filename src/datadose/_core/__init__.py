"""What every room may use: errors, seeds, hashes, safe files, the registry."""

from datadose._core._errors import (
    DatadoseError,
    GuardError,
    InputError,
    Issue,
    MissingExtraError,
    StageError,
    UsageError,
    need_extra,
)
from datadose._core._files import (
    atomic_folder,
    read_json,
    read_jsonl,
    sha256_file,
    write_atomic,
    write_json,
    write_jsonl,
)
from datadose._core._hashing import canonical_json, digest
from datadose._core._registry import Registry
from datadose._core._seeds import derive_seed, generator
from datadose._core._yaml import plain_node

__all__ = [
    "DatadoseError",
    "GuardError",
    "InputError",
    "Issue",
    "MissingExtraError",
    "Registry",
    "StageError",
    "UsageError",
    "atomic_folder",
    "canonical_json",
    "derive_seed",
    "digest",
    "generator",
    "need_extra",
    "plain_node",
    "read_json",
    "read_jsonl",
    "sha256_file",
    "write_atomic",
    "write_json",
    "write_jsonl",
]
