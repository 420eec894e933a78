"""The words of an explanation: what a village agent reads aloud to the person in front of them.

The outcome first, then one sentence a reason with its fact, source and date, then what to do and until when.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache

from salur.core.population.catalogue import Fact, Text, Value
from salur.core.rules import nodes
from salur.core.rules.changes import Accepted, Change
from salur.core.rules.evaluate import ELIGIBLE, NEEDS_DATA, NOT_ELIGIBLE, NOT_FOUND, WAITING
from salur.core.rules.explain import Explanation, Reason, UsedFact, sentences

NAMED_MOST = 4  # values named one by one; of more, those that will not do are named


@cache
def _months(language: str) -> list[str]:
    return sentences()["months"]["names"][language].split()


@dataclass(frozen=True)
class Words:
    """Sentences, money, dates and values in one language."""

    language: str

    def say(self, section: str, key: str, **values: object) -> str:
        return sentences()[section][key][self.language].format(**values)

    def money(self, rupiah: int) -> str:
        """
        >>> Words("id").money(975000), Words("en").money(975000)
        ('Rp975.000', 'Rp975,000')
        """
        shown = f"{rupiah:,}"
        return "Rp" + (shown if self.language == "en" else shown.replace(",", "."))

    def either(self, shown: list[str]) -> str:
        """
        >>> Words("en").either(["earth", "wood", "cement"])
        'earth, wood or cement'
        """
        if len(shown) < 2:
            return "".join(shown)
        return self.say("fact", "or", a=", ".join(shown[:-1]), b=shown[-1])

    def day(self, day: date) -> str:
        """
        >>> Words("id").day(date(2026, 8, 17))
        '17 Agustus 2026'
        """
        return f"{day.day} {_months(self.language)[day.month - 1]} {day.year}"

    def value(self, fact: Fact, value: Value | None) -> str:
        if value is None:
            return "-"
        if isinstance(value, bool):
            return self.say("fact", "yes" if value else "no")
        if isinstance(value, date):
            return self.day(value)
        if isinstance(value, str):
            label: Text | None = (fact.value_labels or {}).get(value)
            return label[self.language] if label else value
        shown = f"{value:,}"
        return shown if self.language == "en" else shown.replace(",", ".")


def read_aloud(explanation: Explanation, language: str) -> str:
    """The explanation as plain text, a paragraph a thought."""
    words, plan, decision = Words(language), explanation.plan, explanation.decision
    rulebook = plan.rulebook
    programme, who = rulebook.title[language], words.say("who", rulebook.unit)
    blocks = [
        words.say("head", "title", programme=programme, date=words.day(plan.on)),
        words.say("outcome", _outcome(explanation), programme=programme, who=who),
    ]
    if decision.outcome == ELIGIBLE:
        blocks.append(_delivered(explanation, words))
    failed = [reason for reason in explanation.reasons if reason.outcome is False]
    unknown = [reason for reason in explanation.reasons if reason.outcome is None]
    met = [reason for reason in explanation.reasons if reason.outcome]
    if decision.outcome == NOT_ELIGIBLE:
        blocks.append(_list(words.say("head", "why_not"), [_failed(explanation, r, words) for r in failed]))
    if decision.outcome == NEEDS_DATA:
        blocks.append(
            _list(words.say("head", "ask"), [reason.criterion.says[language] for reason in unknown])
        )
    blocks.append(_to_do(explanation, words))
    if met and decision.outcome not in (NOT_FOUND,):
        blocks.append(_list(words.say("head", "met"), [reason.criterion.says[language] for reason in met]))
    return "\n\n".join(block for block in blocks if block) + "\n"


def _outcome(explanation: Explanation) -> str:
    """The key of the first sentence: where places are few, meeting the conditions is not yet a place."""
    outcome = explanation.decision.outcome
    few = explanation.plan.places is not None and explanation.placed is None
    return "meets_conditions" if outcome == ELIGIBLE and few else outcome


def _list(head: str, entries: list[str]) -> str:
    return "\n".join([head, *(f"- {entry}" for entry in entries)])


def _delivered(explanation: Explanation, words: Words) -> str:
    plan, decision = explanation.plan, explanation.decision
    period = plan.rulebook.period
    lines = []
    if any(item.component.delivers == "money" for item in plan.items):
        key = "money_once" if period == "once" else "money"
        lines.append(
            words.say("head", key, amount=words.money(decision.amount), period=words.say("period", period))
        )
        if decision.amount_most > decision.amount:
            lines.append(words.say("head", "money_more", amount=words.money(decision.amount_most)))
    lines.append(words.say("head", "receives"))
    for item, count in zip(plan.items, decision.counts, strict=True):
        if not count:
            continue
        title = item.component.title[words.language]
        if item.component.delivers == "money":
            text = words.say("head", "item_money", title=title, count=count, price=words.money(item.price))
        else:
            measure = f" ({item.component.measure[words.language]})" if item.component.measure else ""
            text = words.say("head", "item_other", title=title, count=count, measure=measure)
        lines.append(f"- {text}")
    return "\n".join(lines)


def _basis(explanation: Explanation, reason: Reason, words: Words) -> str:
    if reason.criterion.basis is None:
        return ""
    basis = explanation.plan.rulebook.basis[reason.criterion.basis]
    told = basis.checked_on is not None or "belum diperiksa" in basis.title
    title = basis.title if told else f"{basis.title} ({words.say('head', 'unverified')})"
    return words.say("head", "basis", title=title) + "."


def _failed(explanation: Explanation, reason: Reason, words: Words) -> str:
    """The condition, the facts that decide it, what would be needed, and the law."""
    parts = [words.say("head", "condition", says=reason.criterion.says[words.language])]
    for change in reason.changes:
        used = explanation.used((change.place, change.fact))
        parts.append(words.say("head", "on_record", fact=_fact(explanation, used, words)))
        accepted = reason.criterion.condition.accepted(explanation.scope, reason.changes, change)
        parts.append(words.say("fact", "needed", needed=needed(used.fact, change, accepted, words)))
    parts.append(_basis(explanation, reason, words))
    return "\n  ".join(part for part in parts if part)


def _member(explanation: Explanation, used: UsedFact, words: Words) -> str:
    if used.fact.unit == "family" or used.place == explanation.scope.own:
        return ""
    if used.person_id is None:
        return f" ({words.say('fact', 'nobody')})"
    return f" ({words.say('fact', 'member', id=used.place + 1)})"


def _fact(explanation: Explanation, used: UsedFact, words: Words) -> str:
    registers = explanation.plan.rulebook.catalogue.registers
    source = registers[used.source].title[words.language] if used.source in registers else used.source
    key = "unknown" if used.value is None else "stale" if used.stale else "known"
    return words.say(
        "fact",
        key,
        label=used.fact.label[words.language],
        member=_member(explanation, used, words),
        value=words.value(used.fact, used.value),
        source=source,
        date=words.day(used.as_of) if used.as_of else "-",
    )


def needed(fact: Fact, change: Change, accepted: Accepted, words: Words) -> str:
    """Every value that would do, in words: exactly one, several, a range, one side, or another than now."""

    def show(value: Value | None) -> str:
        return words.value(fact, value)

    if accepted.values is not None:
        if len(accepted.values) <= NAMED_MOST:
            return words.either([show(value) for value in accepted.values])
        rest = [value for value in fact.values if value not in accepted.values]
        return words.say("fact", "other", value=words.either([show(value) for value in rest]))
    if accepted.other:
        return words.say("fact", "other", value=show(change.value))
    kind = "day" if fact.type == "date" else "number"
    if accepted.low is not None and accepted.high is not None:
        if accepted.low == accepted.high:
            return show(accepted.low)
        return words.say("fact", "between", low=show(accepted.low), high=show(accepted.high))
    if accepted.high is not None:
        return words.say("fact", f"{kind}_at_most", value=show(accepted.high))
    return words.say(
        "fact", f"{kind}_at_least", value=show(accepted.low if accepted.low is not None else change.needed)
    )


def _to_do(explanation: Explanation, words: Words) -> str:
    """What to do, whom to ask, and until when."""
    entries = to_do(explanation, words)
    if not entries:
        return words.say("head", "nothing_to_do")
    lines = _list(words.say("head", "to_do"), entries)
    if explanation.decision.outcome == WAITING:
        return lines
    return (
        lines + "\n" + words.say("head", "until", date=words.day(nodes.shift_months(explanation.plan.on, 1)))
    )


def to_do(explanation: Explanation, words: Words) -> list[str]:
    """What to do and whom to ask, a sentence each; none if there is nothing to do."""
    decided = explanation.decision.outcome
    if decided == NOT_FOUND:
        return [words.say("built_in", "not_found_remedy")]
    if decided == WAITING:
        return [words.say("built_in", "waiting_remedy")]
    language = words.language
    if decided == NOT_ELIGIBLE:
        failed = [reason for reason in explanation.open_reasons if reason.outcome is False]
        entries = [reason.criterion.remedy[language] for reason in failed if reason.criterion.remedy]
        bare = [reason for reason in failed if not reason.criterion.remedy]
        owners = dict.fromkeys(explanation.owner(reason, language) for reason in bare)
        entries += [words.say("fact", "repair", owner=owner) for owner in owners if owner]
    else:
        keys = [key for reason in explanation.open_reasons for key in reason.asks]
        entries = [
            _ask(explanation, explanation.used(key), words) for key in keys or explanation.open_components
        ]
    return list(dict.fromkeys(entries))


def _ask(explanation: Explanation, used: UsedFact, words: Words) -> str:
    return words.say(
        "fact",
        "ask_from",
        label=used.fact.label[words.language],
        member=_member(explanation, used, words),
        owner=used.fact.register.owner[words.language],
    )
