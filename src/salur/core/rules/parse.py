"""Text of an expression → typed tree. Python's own parser reads it; a whitelist decides what is allowed.

Nothing is ever evaluated as Python. What the language has and why it has no more: docs/rulebook.md.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from salur.core.faults import Fault as Wrong
from salur.core.population.catalogue import FORBIDDEN, INTEGER_MOST, MEMBERS_MOST, Catalogue, Type, Unit
from salur.core.rules import nodes
from salur.core.rules.nodes import Age, Among, And, Compare, Literal, Node, Not, Or, type_of

TEXT_MOST = 4_000  # characters of one expression
DEPTH_MOST = 50
NODES_MOST = 2_000
_OPS: dict[type[ast.cmpop], nodes.Comparison] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
}  # fmt: skip
_ARITHMETIC: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*"}
_AGGREGATES = ("any", "all", "count", "sum")
_FUNCTIONS = (*_AGGREGATES, "min", "max", "years", "months")
AGE_MOST = {"years": 200, "months": 2_400}


class Refused(Exception):  # noqa: N818 - it is a reason, not a program error
    """Why an expression is refused."""

    def __init__(self, template: str, **values: object) -> None:
        super().__init__(template)
        self.fault = Wrong.of(template, **values)


@dataclass(frozen=True)
class ParameterRange:
    """What a parameter may be over time: its type, and for whole numbers the least and most of its values."""

    type: Type
    least: int = 0
    most: int = 0
    values: frozenset[object] = frozenset()


@dataclass(frozen=True)
class Names:
    """The names an expression may use."""

    catalogue: Catalogue
    parameters: Mapping[str, ParameterRange]
    unit: Unit


def expression(text: str, names: Names, *, over_members: bool = False, wants: Type = "boolean") -> Node:
    """Parse and check one expression. `over_members`: it speaks of one member (a component's `each`).

    Raises Refused with a sentence.
    """
    tree = _syntax(text)
    node = _Reader(names, over_members).read(tree)
    if type_of(node) != wants:
        raise Refused(
            "The expression is {found}, but must be {wanted}.",
            found=_kind(type_of(node)),
            wanted=_kind(wants),
        )
    if nodes.depth(node) > DEPTH_MOST:
        raise Refused("The expression is nested more than {most} deep.", most=DEPTH_MOST)
    bounds(node, names)
    return node


def _syntax(text: str) -> ast.expr:
    depth = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        if depth > DEPTH_MOST:
            raise Refused("The expression is nested more than {most} deep.", most=DEPTH_MOST)
        if depth < 0:
            raise Refused("A bracket is closed that was never opened.")
    if len(text) > TEXT_MOST:
        raise Refused("The expression has {n} characters; at most {most}.", n=len(text), most=TEXT_MOST)
    if "\0" in text:  # Python tells of it as of something else, each release in its own way
        shown = Wrong.of("character {n}", n=text.index("\0") + 1)
        raise Refused("The expression cannot be read near {place}: {why}.", place=shown, why="NUL")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(f"({text}\n)", mode="eval").body
    except SyntaxError as error:
        shown = Wrong.of("character {n}", n=max(1, (error.offset or 1) - 1))
        raise Refused(
            "The expression cannot be read near {place}: {why}.", place=shown, why=error.msg
        ) from None
    except (MemoryError, RecursionError, ValueError):
        raise Refused("The expression is nested more than {most} deep.", most=DEPTH_MOST) from None
    if isinstance(tree, ast.Tuple) or not text.strip():
        raise Refused("The expression must be one condition.")
    return tree


class _Reader:
    """Walks the syntax tree; a method a kind of node."""

    def __init__(self, names: Names, over_members: bool) -> None:
        self.names = names
        self.over_members = over_members
        self.depth = 0
        self.budget = [NODES_MOST]  # shared with readers inside; a chain reads its middle twice

    def read(self, tree: ast.expr) -> Node:
        self.depth += 1
        self.budget[0] -= 1
        if self.budget[0] < 0:
            raise Refused("The expression has more than {most} nodes.", most=NODES_MOST)
        if self.depth > DEPTH_MOST * 2:
            raise Refused("The expression is nested more than {most} deep.", most=DEPTH_MOST)
        try:
            return self._read(tree)
        finally:
            self.depth -= 1

    def _read(self, tree: ast.expr) -> Node:
        match tree:
            case ast.Constant(value):
                return self.constant(value)
            case ast.Name(name):
                return self.name(name)
            case ast.BoolOp(operator, values):
                parts = tuple(self.typed(value, "boolean") for value in values)
                return And(parts) if isinstance(operator, ast.And) else Or(parts)
            case ast.UnaryOp(ast.Not(), operand):
                return Not(self.typed(operand, "boolean"))
            case ast.UnaryOp(ast.USub(), ast.Constant(int() as value)) if type(value) is int:
                return self.constant(-value)
            case ast.UnaryOp(ast.USub(), operand):
                return nodes.Arithmetic("-", Literal(0), self.typed(operand, "integer"))
            case ast.BinOp(left, operator, right) if type(operator) in _ARITHMETIC:
                return nodes.Arithmetic(
                    _ARITHMETIC[type(operator)],  # type: ignore[arg-type]
                    self.typed(left, "integer"),
                    self.typed(right, "integer"),
                )
            case ast.Compare(left, operators, comparators):
                return self.chain([left, *comparators], operators)
            case ast.Call(ast.Name(function), arguments, []) if function in _FUNCTIONS:
                return self.call(function, arguments)
            case ast.Call(ast.Name(function)) if function in _FUNCTIONS:
                raise Refused("{name}() takes its condition or numbers without names.", name=function)
            case ast.Call(ast.Name(function)):
                raise Refused("There is no function {name} here; there are {all}.",
                              name=function, all=", ".join(_FUNCTIONS))  # fmt: skip
            case ast.Attribute():
                raise Refused("A name has no parts here: write the fact's name without a dot.")
            case ast.BinOp(_, operator, _):
                raise Refused("Only + - * are allowed between numbers, not {op}.", op=_shown(operator))
        raise Refused("{kind} is not part of the rule language.", kind=_shown(tree))

    def typed(self, tree: ast.expr, wanted: Type) -> Node:
        node = self.read(tree)
        if type_of(node) != wanted:
            raise Refused("{text} is {found}, but must be {wanted} here.",
                          text=_text(tree), found=_kind(type_of(node)), wanted=_kind(wanted))  # fmt: skip
        return node

    def constant(self, value: object) -> Literal:
        if isinstance(value, str) and not value.isprintable():
            raise Refused("{value} is not plain text.", value=ascii(value)[:60])
        if isinstance(value, bool | str):
            return Literal(value)
        if isinstance(value, int):
            if abs(value) > INTEGER_MOST:
                shown = str(value) if value.bit_length() < 80 else hex(value)[:20] + "…"
                raise Refused("The number {value} is beyond 2^53.", value=shown)
            return Literal(value)
        if isinstance(value, float):
            raise Refused("{value} is not a whole number; money and counts are whole.", value=value)
        raise Refused(
            "{value} is not part of the rule language; an unknown is never tested for.", value=value
        )

    def name(self, name: str) -> Node:
        parameter = self.names.parameters.get(name)
        if parameter is not None:
            return nodes.Parameter(name, parameter.type)
        fact = self.names.catalogue.facts.get(name)
        if fact is None:
            if FORBIDDEN & set(name.split("_")):
                raise Refused("{name} is a forbidden fact: nobody may be decided by it.", name=name)
            near = get_close_matches(name, [*self.names.catalogue.facts, *self.names.parameters], 1)
            hint = Wrong.of(" Did you mean {name}?", name=near[0]) if near else ""
            raise Refused("{name} is neither a declared fact nor a parameter.{hint}", name=name, hint=hint)
        personal = fact.unit == "person"
        if personal and not self.over_members and self.names.unit == "family":
            raise Refused(
                "{name} is a fact of a person: a family programme reads it inside any, all, count or sum.",
                name=name,
            )
        return nodes.Fact(name, fact.type, personal)

    def chain(self, operands: list[ast.expr], operators: list[ast.cmpop]) -> Node:
        parts = tuple(
            self.comparison(left, operator, right)
            for left, operator, right in zip(operands, operators, operands[1:], strict=False)
        )
        return parts[0] if len(parts) == 1 else And(parts)

    def comparison(self, left: ast.expr, operator: ast.cmpop, right: ast.expr) -> Node:
        if isinstance(operator, ast.In | ast.NotIn):
            among = self.among(left, right)
            return among if isinstance(operator, ast.In) else Not(among)
        if type(operator) not in _OPS:
            raise Refused("'{op}' is not part of the rule language.", op=_shown(operator))
        op = _OPS[type(operator)]
        for side, other, turned in ((left, right, op), (right, left, nodes.FLIPPED[op])):
            if isinstance(side, ast.Call) and isinstance(side.func, ast.Name) and side.func.id in AGE_MOST:
                return self.age(side, turned, other)
        first, second = self.read(left), self.read(right)
        kind = type_of(first)
        if kind != type_of(second):
            raise Refused("{left} is {a} and {right} is {b}: they cannot be compared.",
                          left=_text(left), a=_kind(kind), right=_text(right), b=_kind(type_of(second)))  # fmt: skip
        if kind in ("boolean", "category") and op not in ("==", "!="):
            raise Refused("{text} has no order: only == and != compare it.", text=_text(left))
        if kind == "category":
            self.same_values(first, second)
        return Compare(op, first, second)

    def same_values(self, first: Node, second: Node) -> None:
        """Categories are compared only where they can be equal: a misspelt value is a fault."""
        if isinstance(first, Literal) and isinstance(second, Literal):
            raise Refused("Two constants are compared; one side must be a fact or a parameter.")
        a, b = self.values_of(first), self.values_of(second)
        for node, values, others in ((first, a, b), (second, b, a)):
            extra = sorted(str(v) for v in values - others)
            if extra and isinstance(node, Literal | nodes.Parameter):
                raise Refused("{value} is not a value of this fact; it has {all}.",
                              value=extra[0], all=", ".join(sorted(map(str, others))))  # fmt: skip

    def values_of(self, node: Node) -> frozenset[object]:
        match node:
            case Literal(value):
                return frozenset([value])
            case nodes.Parameter(name, _):
                return self.names.parameters[name].values
            case nodes.Fact(name, _, _):
                return frozenset(self.names.catalogue.facts[name].values)
        return frozenset()

    def among(self, left: ast.expr, right: ast.expr) -> Among:
        if not isinstance(right, ast.List) or not right.elts:
            raise Refused("After 'in' stands a list of constants like ['a', 'b'].")
        node = self.read(left)
        kind = type_of(node)
        values = []
        for element in right.elts:
            value = self.read(element)
            if not isinstance(value, Literal):
                raise Refused("The list after 'in' holds constants only, not {text}.", text=_text(element))
            if type_of(value) != kind:
                kinds = {"a": _kind(type_of(value)), "b": _kind(kind)}
                raise Refused(
                    "{value} is {a}, but {text} is {b}.", value=_text(element), text=_text(left), **kinds
                )
            if kind == "category":
                self.same_values(node, value)
            assert value.value is not None  # noqa: S101
            values.append(value.value)
        if isinstance(node, Literal):
            raise Refused("Two constants are compared; one side must be a fact or a parameter.")
        return Among(node, tuple(dict.fromkeys(values)))

    def call(self, function: str, arguments: list[ast.expr]) -> Node:
        if function in ("years", "months"):
            raise Refused("{name}() must be compared with a number or a parameter.", name=function)
        if function in ("min", "max"):
            if len(arguments) < 2:
                raise Refused("{name}() takes two numbers or more.", name=function)
            return nodes.Extreme(function, tuple(self.typed(a, "integer") for a in arguments))  # type: ignore[arg-type]
        if self.over_members:
            raise Refused("{name}() cannot stand inside another look at the members.", name=function)
        if len(arguments) != 1:
            raise Refused("{name}() takes one condition or number.", name=function)
        inner = _Reader(self.names, True)
        inner.depth, inner.budget = self.depth, self.budget
        part = inner.typed(arguments[0], "integer" if function == "sum" else "boolean")
        if not any(fact.personal for fact in nodes.facts(part)):
            raise Refused(
                "{name}() reads no fact of a member; write the condition without it.", name=function
            )
        return nodes.Aggregate(function, part)  # type: ignore[arg-type]

    def age(self, call: ast.Call, op: nodes.Comparison, other: ast.expr) -> Age:
        unit = call.func.id  # type: ignore[attr-defined]
        if len(call.args) != 1 or call.keywords:
            raise Refused("{name}() takes one date.", name=unit)
        since = self.typed(call.args[0], "date")
        if not isinstance(since, nodes.Fact):
            raise Refused("{name}() takes a date fact.", name=unit)
        bound = self.read(other)
        if not isinstance(bound, Literal | nodes.Parameter) or type_of(bound) != "integer":
            raise Refused("{name}() is compared with a whole number or a parameter only.", name=unit)
        least, most = bounds(bound, self.names)
        if least < -AGE_MOST[unit] or most > AGE_MOST[unit]:
            raise Refused("{name}() is compared with at most {most}.", name=unit, most=AGE_MOST[unit])
        return Age(unit, op, since, bound)


def bounds(node: Node, names: Names) -> tuple[int, int]:
    """The least and the most a whole-number tree can yield; proves that no part of it passes 2^53.

    Raises Refused where it might. Trees of other types yield (0, 0) after their parts are proved.
    """
    match node:
        case Literal(value) if type(value) is int:
            return value, value
        case nodes.Fact(name, "integer", _):
            fact = names.catalogue.facts[name]
            return fact.least, fact.most
        case nodes.Parameter(name, "integer"):
            parameter = names.parameters[name]
            return parameter.least, parameter.most
        case nodes.Arithmetic(op, left, right):
            (a, b), (c, d) = bounds(left, names), bounds(right, names)
            corners: Callable[[], tuple[int, ...]] = {
                "+": lambda: (a + c, b + d),
                "-": lambda: (a - d, b - c),
                "*": lambda: (a * c, a * d, b * c, b * d),
            }[op]
            return _proved(min(corners()), max(corners()))
        case nodes.Extreme(op, parts):
            found = [bounds(part, names) for part in parts]
            pick = min if op == "min" else max
            return pick(low for low, _ in found), pick(high for _, high in found)
        case nodes.Aggregate("count", part):
            bounds(part, names)
            return 0, MEMBERS_MOST
        case nodes.Aggregate("sum", part):
            low, high = bounds(part, names)
            return _proved(min(0, low * MEMBERS_MOST), max(0, high * MEMBERS_MOST))
    for child in nodes.children(node):
        bounds(child, names)
    return 0, 0


def _proved(least: int, most: int) -> tuple[int, int]:
    if least < -INTEGER_MOST or most > INTEGER_MOST:
        raise Refused("A number here could pass 2^53 ({worst}); narrow the facts' least and most.",
                      worst=max(-least, most))  # fmt: skip
    return least, most


def _text(tree: ast.expr) -> str:
    shown = ast.unparse(tree)
    return shown if len(shown) <= 60 else shown[:57] + "…"


_SHOWN: dict[type[ast.AST], str] = {
    ast.Is: "is", ast.IsNot: "is not", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**",
    ast.Lambda: "lambda", ast.IfExp: "if … else", ast.Starred: "*", ast.Await: "await", ast.Yield: "yield",
}  # fmt: skip


def _shown(tree: ast.AST) -> str | Wrong:
    """A piece of Python that is not part of the language, in words."""
    match tree:
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            return Wrong.of("A comprehension")
        case ast.Subscript():
            return Wrong.of("An index")
        case ast.JoinedStr():
            return Wrong.of("A string with values in it")
        case ast.Call():
            return Wrong.of("A call like this")
        case ast.List() | ast.Tuple() | ast.Dict() | ast.Set():
            return Wrong.of("A list in this place")
        case ast.NamedExpr():
            return Wrong.of("An assignment")
        case ast.UnaryOp():
            return Wrong.of("This sign")
    return _SHOWN.get(type(tree), type(tree).__name__)


def _kind(type_: Type) -> Wrong:
    """A type in words."""
    phrases = {
        "boolean": Wrong.of("a yes-or-no condition"),
        "integer": Wrong.of("a whole number"),
        "date": Wrong.of("a date"),
    }
    return phrases.get(type_) or Wrong.of("a category")
