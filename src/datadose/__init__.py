"""How much of your fine-tuning data can be wrong before the model breaks, with bounds."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datadose.curves import next_doses, thresholds
    from datadose.domains import load_pack
    from datadose.models import load_base
    from datadose.running import (
        AuditSettings,
        CleanSettings,
        clean,
        evaluate,
        load_study,
        plan_study,
        run_audit,
        run_study,
    )
    from datadose.schema import Pool, Probe, Row, Study

__version__ = "0.1.0"

_HOMES = {
    "AuditSettings": "datadose.running",
    "CleanSettings": "datadose.running",
    "Pool": "datadose.schema",
    "Probe": "datadose.schema",
    "Row": "datadose.schema",
    "Study": "datadose.schema",
    "clean": "datadose.running",
    "evaluate": "datadose.running",
    "load_base": "datadose.models",
    "load_pack": "datadose.domains",
    "load_study": "datadose.running",
    "next_doses": "datadose.curves",
    "plan_study": "datadose.running",
    "run_audit": "datadose.running",
    "run_study": "datadose.running",
    "thresholds": "datadose.curves",
}

__all__ = [
    "AuditSettings",
    "CleanSettings",
    "Pool",
    "Probe",
    "Row",
    "Study",
    "clean",
    "evaluate",
    "load_base",
    "load_pack",
    "load_study",
    "next_doses",
    "plan_study",
    "run_audit",
    "run_study",
    "thresholds",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'datadose' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
