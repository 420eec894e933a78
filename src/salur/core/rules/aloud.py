"""The words of an explanation: what a village agent reads aloud to the person in front of them.

The outcome first, then one sentence a reason with its fact, source and date, then what to do and until when.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from salur.core.population.catalogue import Fact, Text, Value
from salur.core.rules import nodes
from salur.core.rules.changes import Change
from salur.core.rules.evaluate import ELIGIBLE, NEEDS_DATA, NOT_ELIGIBLE, NOT_FOUND, WAITING
from salur.core.rules.explain import Explanation, Reason, UsedFact, sentences


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

    def day(self, day: date) -> str:
        """
        >>> Words("id").day(date(2026, 8, 17))
        '17 Agustus 2026'
        """
        names = sentences()["months"]["names"][self.language].split()
        return f"{day.day} {names[day.month - 1]} {day.year}"

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
        words.say("outcome", decision.outcome, programme=programme, who=who),
    ]
    if decision.outcome == ELIGIBLE:
        blocks.append(_delivered(explanation, words))
    failed = [reason for reason in explanation.reasons if reason.outcome is False]
    unknown = [reason for reason in explanation.reasons if reason.outcome is None]
    met = [reason for reason in explanation.reasons if reason.outcome]
    if decision.outcome == NOT_ELIGIBLE:
        blocks.append(_list(words.say("head", "why_not"), [_failed(explanation, r, words) for r in failed]))
    if decision.outcome == NEEDS_DATA:
        blocks.append(_list(words.say("head", "ask"), [_unknown(explanation, r, words) for r in unknown]))
    blocks.append(_to_do(explanation, words, failed, unknown))
    if met and decision.outcome not in (NOT_FOUND,):
        blocks.append(_list(words.say("head", "met"), [reason.criterion.says[language] for reason in met]))
    return "\n\n".join(block for block in blocks if block) + "\n"


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
            measure = item.component.measure[words.language] if item.component.measure else ""
            text = words.say("head", "item_other", title=title, count=count, measure=measure)
        lines.append(f"- {text}")
    return "\n".join(lines)


def _basis(explanation: Explanation, reason: Reason, words: Words) -> str:
    if reason.criterion.basis is None:
        return ""
    basis = explanation.plan.rulebook.basis[reason.criterion.basis]
    title = basis.title if basis.checked_on else f"{basis.title} ({words.say('head', 'unverified')})"
    return words.say("head", "basis", title=title) + "."


def _failed(explanation: Explanation, reason: Reason, words: Words) -> str:
    """The condition, the facts that decide it, what would be needed, and the law."""
    parts = [reason.criterion.says[words.language]]
    for change in reason.changes:
        used = explanation.used((change.place, change.fact))
        parts.append(_fact(explanation, used, words) + ".")
        parts.append(words.say("fact", "needed", needed=_needed(used.fact, change, words)))
    parts.append(_basis(explanation, reason, words))
    return "\n  ".join(part for part in parts if part)


def _unknown(explanation: Explanation, reason: Reason, words: Words) -> str:
    parts = [reason.criterion.says[words.language]]
    parts += [_fact(explanation, explanation.used(key), words) + "." for key in reason.asks]
    parts.append(_basis(explanation, reason, words))
    return "\n  ".join(part for part in parts if part)


def _member(explanation: Explanation, used: UsedFact, words: Words) -> str:
    if used.fact.unit == "family" or used.place == explanation.scope.own:
        return ""
    if used.person_id is None:
        return " " + words.say("fact", "nobody")
    return " " + words.say("fact", "member", id=used.place + 1)


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


def _needed(fact: Fact, change: Change, words: Words) -> str:
    """The value that would do: for numbers and dates the side of it that would do as well."""
    shown, now = words.value(fact, change.needed), change.value
    if isinstance(change.needed, str) and now is not None and not change.named:
        return words.say("fact", "other", value=words.value(fact, now))
    if now is None or isinstance(change.needed, bool | str):
        return shown
    sides: dict[type, tuple[str, str]] = {int: ("at_most", "at_least"), date: ("on_or_before", "on_or_after")}
    below, above = sides[type(change.needed)]
    return words.say("fact", below if change.needed < now else above, value=shown)  # type: ignore[operator]


def _to_do(explanation: Explanation, words: Words, failed: list[Reason], unknown: list[Reason]) -> str:
    """What to do, whom to ask, and until when."""
    outcome = explanation.decision.outcome
    entries: list[str] = []
    if outcome == NOT_FOUND:
        entries.append(words.say("built_in", "not_found_remedy"))
    elif outcome == WAITING:
        entries.append(words.say("built_in", "waiting_remedy"))
    elif outcome == NOT_ELIGIBLE:
        entries += [reason.criterion.remedy[words.language] for reason in failed if reason.criterion.remedy]
        owners = dict.fromkeys(explanation.owner(reason, words.language) for reason in failed)
        entries += [words.say("fact", "repair", owner=owner) for owner in owners if owner]
    else:
        keys = [key for reason in unknown for key in reason.asks]
        entries += [
            _ask(explanation, explanation.used(key), words) for key in keys or explanation.open_components
        ]
    entries = list(dict.fromkeys(entries))
    if not entries:
        return words.say("head", "nothing_to_do")
    lines = _list(words.say("head", "to_do"), entries)
    if outcome == WAITING:
        return lines
    return (
        lines + "\n" + words.say("head", "until", date=words.day(nodes.shift_months(explanation.plan.on, 1)))
    )


def _ask(explanation: Explanation, used: UsedFact, words: Words) -> str:
    return words.say(
        "fact",
        "ask_from",
        label=used.fact.label[words.language],
        member=_member(explanation, used, words),
        owner=used.fact.register.owner[words.language],
    )
