"""YAML read by a reader that keeps line numbers, without them."""

from __future__ import annotations

from typing import Any


def plain_node(node: Any) -> Any:
    """A node of a YAML tree that knows its lines, as plain dicts, lists, texts and numbers."""
    if isinstance(node, dict):
        return {str(k): plain_node(v) for k, v in node.items()}
    if isinstance(node, list):
        return [plain_node(v) for v in node]
    if isinstance(node, bool) or node is None:
        return node
    return next((kind(node) for kind in (int, float, str) if isinstance(node, kind)), node)
