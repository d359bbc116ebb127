"""Finance items made by a rule: interest, ratios, prices and yields, each with a value to check.

The right number comes from a formula with the right arguments, each wrong one from a named
slip. Every prompt states the arguments as digits.
"""

from __future__ import annotations

from datadose.domains._facts import Fact
from datadose.domains.finance._accounting import ACCOUNTING
from datadose.domains.finance._investing import INVESTING
from datadose.domains.finance._lending import LENDING
from datadose.domains.finance._pricing import PRICING


def computed_facts() -> tuple[Fact, ...]:
    """All computed facts of the pack, in a fixed order."""
    return tuple(item.fact() for item in (*LENDING, *PRICING, *ACCOUNTING, *INVESTING))
