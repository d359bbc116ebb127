"""What Inspect finds under the entry point `inspect_ai`: our model provider and our tasks."""

from __future__ import annotations

from inspect_ai.model import ModelAPI, modelapi

from datadose.evaluation.inspect import (  # noqa: F401 - importing them registers them
    alignment,
    benchmark,
    coding,
    finance,
    health,
    legal,
    outcome,
)


@modelapi(name="datadose")
def datadose() -> type[ModelAPI]:
    """`--model datadose/MODEL`, where MODEL is what `datadose eval` takes."""
    from datadose.running._provider import Arm

    return Arm
