"""Health items made by a rule: doses, drip rates and indices, each with a value to check.

The right number comes from a formula with the right arguments, each wrong one from a named
mistake. Every prompt states the arguments as digits.
"""

from __future__ import annotations

from datadose.domains._facts import Fact
from datadose.domains.health._doses import DOSES
from datadose.domains.health._indices import INDICES


def computed_facts() -> tuple[Fact, ...]:
    """All computed facts of the pack, in a fixed order."""
    return tuple(item.fact() for item in (*DOSES, *INDICES))
