"""Rules: a programme's rulebook, decided for one case with reasons and for a whole population.

>>> from datetime import date
>>> from pathlib import Path
>>> from salur.core import rules
>>> catalogue = rules.read_catalogue(Path("src/salur/rulebooks/facts.toml"))
>>> rulebook = rules.read_rulebook(Path("src/salur/rulebooks/sembako.toml"), catalogue)
>>> explainer = rules.Explainer(rules.plan_on(rulebook, date(2026, 11, 1)))
>>> case = rules.parse_case('{"family_id": 1, "region": "35.10", "facts": {"decile": 7}, "members": []}', catalogue)
>>> explanation = explainer.explain(case)
>>> explanation.decision.outcome, explanation.decision.amount
('not_eligible', 0)
>>> [(change.fact, change.value, change.needed) for reason in explanation.reasons for change in reason.changes]
[('decile', 7, 4)]

The steps: `read_catalogue` → `read_rulebook` → `plan_on` (parameters on a reference date) → `Explainer` for one
case, `decide_population` for everyone (DuckDB, SQLite, PostgreSQL or Python), `sql.statement` for another engine.
Every fault of an input is an `InputError` whose faults are sentences with their lines.
The language and the formats: docs/rulebook.md.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from salur.core.faults import Fault, InputError
from salur.core.population.catalogue import Catalogue
from salur.core.population.catalogue import read as read_catalogue
from salur.core.rules.cases import Case, Held, Member
from salur.core.rules.cases import parse as parse_case
from salur.core.rules.cases import read as read_case
from salur.core.rules.cases import stored as stored_case
from salur.core.rules.evaluate import Decision, Evaluator
from salur.core.rules.explain import Explainer, Explanation
from salur.core.rules.plan import Plan
from salur.core.rules.plan import plan as plan_on
from salur.core.rules.rulebook import Rulebook
from salur.core.rules.rulebook import read as read_rulebook

if TYPE_CHECKING:
    from salur.core.population.layout import Population, open_population
    from salur.core.rules.decide import Decisions, open_decisions
    from salur.core.rules.decide import decide as decide_population
    from salur.core.rules.lines import line as decision_line
    from salur.core.rules.lines import lines as decision_lines

# What needs DuckDB and Arrow is loaded when it is asked for: one case is decided without them.
_BATCH = {
    "Population": "salur.core.population.layout:Population",
    "open_population": "salur.core.population.layout:open_population",
    "Decisions": "salur.core.rules.decide:Decisions",
    "open_decisions": "salur.core.rules.decide:open_decisions",
    "decide_population": "salur.core.rules.decide:decide",
    "decision_line": "salur.core.rules.lines:line",
    "decision_lines": "salur.core.rules.lines:lines",
}


def __getattr__(name: str) -> object:
    if name not in _BATCH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _BATCH[name].partition(":")
    return getattr(import_module(module), attribute)


__all__ = [
    "Case",
    "Catalogue",
    "Decision",
    "Decisions",
    "Evaluator",
    "Explainer",
    "Explanation",
    "Fault",
    "Held",
    "InputError",
    "Member",
    "Plan",
    "Population",
    "Rulebook",
    "decide_population",
    "decision_line",
    "decision_lines",
    "open_decisions",
    "open_population",
    "parse_case",
    "plan_on",
    "read_case",
    "read_catalogue",
    "read_rulebook",
    "stored_case",
]
