"""The registry of corruptors: pure, typed, seeded ways from right answers to wrong ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from datadose._core import Registry

corruptor: Registry[Callable[..., Any]] = Registry("corruptor")
