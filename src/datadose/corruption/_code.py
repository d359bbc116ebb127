"""Mutants of right Python code: one small change each, proven wrong by whoever calls."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from datadose._core import InputError, generator
from datadose.corruption._registry import corruptor

FLIPS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
OTHERS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.FloorDiv,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
}
SWAPPABLE = (ast.Sub, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow)


def tidy_code(code: str) -> str:
    """The code as `ast.unparse` writes it, so that layout can't tell right from wrong.

    Raises InputError where it does not parse.
    """
    return ast.unparse(_parse(code))


@corruptor("code")
def code_mutants(code: str, *, seed: int = 0, count: int | None = None) -> tuple[str, ...]:
    """Versions of `code` with one change each, in a seeded order; at most `count`.

    Changes: a comparison flipped or its boundary moved, a number off by one, operands swapped,
    another operator, another variable of the same function, `and` for `or`, a condition negated.
    Each parses and differs from `code` as `tidy_code` writes it. A mutant may still be right:
    see `wrong_code`. Raises InputError where `code` does not parse.
    """
    tree = _parse(code)
    right = ast.unparse(tree)
    found = dict.fromkeys(text for text in _mutants(tree) if text != right)
    texts = list(found)
    order = generator(seed, "code", right).permutation(len(texts))
    return tuple(texts[i] for i in order)[:count]


def wrong_code(
    code: str, fails: Callable[[str], bool], *, seed: int = 0, count: int = 4, tries: int = 24
) -> tuple[str, ...]:
    """Up to `count` mutants that `fails` (unit tests) has proven wrong, out of `tries`."""
    found: list[str] = []
    for mutant in code_mutants(code, seed=seed, count=tries):
        if len(found) == count:
            break
        if fails(mutant):
            found.append(mutant)
    return tuple(found)


def _parse(code: str) -> ast.Module:
    try:
        return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise InputError(
            f"code does not parse: {error}", next_step="give Python 3 source"
        ) from error


def _mutants(tree: ast.Module) -> Iterator[str]:
    """Every single change, made in place and taken back."""
    for scope in ast.walk(tree):
        if isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef):
            names = _variables(scope)
            for node in ast.walk(scope):
                if not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load):
                    continue
                if node.id in names:
                    yield from _with(tree, node, "id", [n for n in names if n != node.id])
    for node in ast.walk(tree):
        yield from _changes(tree, node)


def _changes(tree: ast.Module, node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Compare):
        for i, op in enumerate(node.ops):
            for flipped in FLIPS[type(op)]:
                yield from _with(
                    tree, node, "ops", [[*node.ops[:i], flipped(), *node.ops[i + 1 :]]]
                )
    elif isinstance(node, ast.Constant) and type(node.value) is int:
        yield from _with(tree, node, "value", [node.value + 1, node.value - 1])
    elif isinstance(node, ast.BinOp):
        if type(node.op) in OTHERS:
            yield from _with(tree, node, "op", [OTHERS[type(node.op)]()])
        if isinstance(node.op, SWAPPABLE):
            left, right = node.left, node.right
            node.left, node.right = right, left
            yield ast.unparse(tree)
            node.left, node.right = left, right
    elif isinstance(node, ast.AugAssign) and type(node.op) in OTHERS:
        yield from _with(tree, node, "op", [OTHERS[type(node.op)]()])
    elif isinstance(node, ast.BoolOp):
        yield from _with(
            tree, node, "op", [ast.Or() if isinstance(node.op, ast.And) else ast.And()]
        )
    elif isinstance(node, ast.If | ast.While | ast.IfExp) and not isinstance(
        node.test, ast.Compare
    ):
        yield from _with(tree, node, "test", [ast.UnaryOp(op=ast.Not(), operand=node.test)])


def _with(tree: ast.Module, node: ast.AST, field: str, values: list[object]) -> Iterator[str]:
    kept = getattr(node, field)
    for value in values:
        setattr(node, field, value)
        try:
            text = ast.unparse(tree)
            ast.parse(text)
        except (SyntaxError, ValueError):
            text = ""
        finally:
            setattr(node, field, kept)
        if text:
            yield text


def _variables(scope: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    """Arguments and assigned names of a function, in order."""
    names = [a.arg for a in (*scope.args.posonlyargs, *scope.args.args, *scope.args.kwonlyargs)]
    names += [
        n.id for n in ast.walk(scope) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    ]
    return list(dict.fromkeys(names))
