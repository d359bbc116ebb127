"""The words that records share, and the record they are made of."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from datadose._core import digest

Role = Literal["system", "user", "assistant"]
Severity = Literal["obvious", "subtle", "placebo", "shuffled", "malign"]
Structure = Literal["random", "consistent"]
Unit = Literal["row", "fact"]
Vary = Literal["replace", "add", "correct_only"]
Relation = Literal["reworded", "inferential", "untrained"]
Response = Literal["domain", "misaligned", "dangerous", "refused"]
OptionRole = Literal[
    "correct",
    "subtle",
    "obvious",
    "foil",
    "swapped",
    "aligned",
    "misaligned",
    "safe",
    "dangerous",
]
OutcomeKind = Literal["right", "adopted", "wrong", "incoherent", "refused", "unscored", "error"]
GOOD_ROLES: frozenset[str] = frozenset({"correct", "aligned", "safe"})
TRAINED_WRONG_ROLES: frozenset[str] = frozenset({"subtle", "obvious"})


class Frozen(BaseModel):
    """Base of all records: immutable, no unknown keys, compared and hashed by content."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def content_hash(self, length: int = 16) -> str:
        """Hash of every field; equal records have equal hashes on every machine."""
        return digest(self.model_dump(mode="json"), length)
