"""Conditions between parameters, written as ``fast < slow / 2``: arithmetic and comparisons, and nothing else."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from atrader.configuration.problems import did_you_mean
from atrader.errors import ConfigError

_ARITHMETIC: Final[dict[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
    ast.FloorDiv: operator.floordiv,
}
_COMPARISONS: Final[dict[type[ast.cmpop], Callable[[Any, Any], bool]]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_EXPECTED: Final = (
    "expected a condition on parameters such as 'fast < slow' or 'slow >= 2 * fast and direction == \"both\"'"
)


class Constraint:
    """A condition that a set of parameters has to meet.

    Parameters
    ----------
    text : str
        Comparisons of parameters, numbers and texts, with ``+ - * / // %``, ``and``, ``or``, ``not`` and brackets.
    known : collection of str
        Names of the strategy's parameters.

    Raises
    ------
    ConfigError
        When it is anything else, or names an unknown parameter.
    """

    def __init__(self, text: str, known: Collection[str]) -> None:
        self.text = text.strip()
        try:
            self._tree = ast.parse(self.text, mode="eval").body
        except (SyntaxError, ValueError) as error:
            raise ConfigError(f"constraint {text!r}: {_EXPECTED}") from error
        if not isinstance(self._tree, (ast.Compare, ast.BoolOp, ast.UnaryOp)):
            raise ConfigError(f"constraint {text!r}: {_EXPECTED}")
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Name) and node.id not in known:
                raise ConfigError(f"constraint {text!r}: no parameter {node.id!r}{did_you_mean(node.id, known)}")
            if not isinstance(node, _ALLOWED):
                raise ConfigError(f"constraint {text!r}: {_EXPECTED}")

    def holds(self, parameters: Mapping[str, Any]) -> bool:
        """Tell whether a set meets it.

        Raises
        ------
        ConfigError
            When values cannot be compared, such as a number with a text, or are divided by zero.
        """
        try:
            return bool(_value(self._tree, parameters))
        except (TypeError, ZeroDivisionError) as error:
            raise ConfigError(f"constraint {self.text!r} cannot be worked out: {error}") from error


_ALLOWED: Final = (
    ast.Compare,
    ast.BoolOp,
    ast.UnaryOp,
    ast.BinOp,
    ast.Name,
    ast.Constant,
    ast.expr_context,
    ast.boolop,
    ast.Not,
    ast.USub,
    *_ARITHMETIC,
    *_COMPARISONS,
)


def _value(node: ast.expr, names: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return names[name]
        case ast.BinOp(left=left, op=op, right=right):
            return _ARITHMETIC[type(op)](_value(left, names), _value(right, names))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _value(operand, names)
        case ast.UnaryOp(operand=operand):
            return -_value(operand, names)
        case ast.BoolOp(op=op, values=values):
            found = (_value(one, names) for one in values)
            return all(found) if isinstance(op, ast.And) else any(found)
        case ast.Compare(left=left, ops=ops, comparators=others):
            values = [_value(one, names) for one in (left, *others)]
            return all(_COMPARISONS[type(op)](values[at], values[at + 1]) for at, op in enumerate(ops))
    raise TypeError(f"{ast.unparse(node)} is no condition")
