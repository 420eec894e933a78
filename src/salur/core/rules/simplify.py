"""Constants worked out in a tree, by Kleene's tables: what remains depends on facts.

>>> from salur.core.rules.nodes import And, Compare, Fact, Literal
>>> poor = Compare("<=", Fact("decile", "integer"), Literal(4))
>>> simplify(And((Literal(True), poor))) == poor
True
>>> simplify(And((Literal(None), Literal(False))))
Literal(value=False)
"""

from __future__ import annotations

from salur.core.rules import nodes
from salur.core.rules.evaluate import function
from salur.core.rules.nodes import And, Literal, Node, Or


def simplify(node: Node) -> Node:
    """The same meaning with every constant part worked out."""
    return nodes.rebuild(node, _step)


def of_nobody(node: Node) -> Node:
    """The tree for a member of whom everything is unknown."""

    def forget(part: Node) -> Node:
        return Literal(None) if isinstance(part, nodes.Fact) and part.personal else part

    return simplify(nodes.rebuild(node, forget))


def _step(node: Node) -> Node:
    if isinstance(node, And | Or):
        return _fold(node)
    below = nodes.children(node)
    if not below or isinstance(node, nodes.Aggregate | nodes.Age):
        return node
    if all(isinstance(child, Literal) for child in below):
        return Literal(function(node)({}, {}, ()))
    strict = not isinstance(node, nodes.Not)
    if strict and any(child == Literal(None) for child in below):
        return Literal(None)
    return node


def _fold(node: And | Or) -> Node:
    decisive = isinstance(node, Or)
    if Literal(decisive) in node.parts:
        return Literal(decisive)
    rest = tuple(dict.fromkeys(part for part in node.parts if part != Literal(not decisive)))
    if not rest:
        return Literal(not decisive)
    return rest[0] if len(rest) == 1 else type(node)(rest)
