"""What would change a decision is true, and nothing smaller would do: judged by trying everything."""

from datetime import date
from itertools import combinations, product
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from salur.core import toml
from salur.core.population import catalogue as catalogues
from salur.core.rules.changes import Condition, Scope
from salur.core.rules.evaluate import function
from salur.core.rules.nodes import bind
from salur.core.rules.parse import Names, Refused, expression

LABEL = '{ id = "x", en = "x" }'
FACTS = {
    "rich": ("family", 'type = "boolean"'),
    "decile": ("family", 'type = "integer"\nleast = 1\nmost = 5'),
    "home": ("family", f'type = "category"\nvalues = {{ own = {LABEL}, rent = {LABEL}, free = {LABEL} }}'),
    "sick": ("person", 'type = "boolean"'),
    "wage": ("person", 'type = "integer"\nleast = 0\nmost = 3'),
}
DOMAIN = {
    "rich": (True, False), "decile": range(1, 6), "home": ("own", "rent", "free"),
    "sick": (True, False), "wage": range(4),
}  # fmt: skip
CATALOGUE = catalogues.parse(
    toml.parse(
        "\n".join(
            [
                f"format = 1\n[registers.r]\ntitle = {LABEL}\nowner = {LABEL}",
                *(
                    f'[facts.{name}]\nunit = "{unit}"\nregister = "r"\nsensitivity = "ordinary"\n'
                    f"label = {LABEL}\n{rest}"
                    for name, (unit, rest) in FACTS.items()
                ),
            ]
        ).encode(),
        Path("facts.toml"),
    )
)
NAMES, PERSONS = Names(CATALOGUE, {}, "family"), Names(CATALOGUE, {}, "person")

number = st.integers(0, 5).map(str)
compare = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
of_member = st.one_of(
    st.just("sick"),
    st.builds("wage {} {}".format, compare, number),
    st.builds("(sick and wage {} {})".format, compare, number),
    st.just("(sick or rich)"),
    st.just("wage < decile"),
)
atom = st.one_of(
    st.just("rich"),
    st.builds("decile {} {}".format, compare, number),
    st.sampled_from(["home == 'own'", "home != 'rent'", "home in ['own', 'free']"]),
    st.builds("any({})".format, of_member),
    st.builds("all({})".format, of_member),
    st.builds("count({}) {} {}".format, of_member, compare, number),
    st.builds("sum(wage) {} {}".format, compare, number),
    st.builds("min(decile, sum(wage)) {} {}".format, compare, number),
    st.just("decile + sum(wage) <= 3"),
)
condition = st.recursive(
    atom,
    lambda inner: st.one_of(
        inner.map("not ({})".format),
        st.builds("({}) and ({})".format, inner, inner),
        st.builds("({}) or ({})".format, inner, inner),
    ),
    max_leaves=4,
)
family = st.fixed_dictionaries({n: st.sampled_from([*DOMAIN[n], None]) for n in ("rich", "decile", "home")})
member = st.fixed_dictionaries({n: st.sampled_from([*DOMAIN[n], None]) for n in ("sick", "wage")})


def bound(text, names=NAMES):
    """The condition of a text; one that the parser refuses is no example."""
    try:
        return bind(expression(text, names), {}, date(2026, 1, 1))
    except Refused:
        assume(False)


@settings(max_examples=400, deadline=None)
@given(condition, family, st.lists(member, max_size=2))
def test_the_fewest_changes_are_true_and_nothing_smaller_is(text, facts, members):
    tree = bound(text)
    scope = Scope(facts, members)
    test = function(tree)
    assume(test(facts, {}, members) is False)
    ready = Condition(tree, CATALOGUE)
    changes = ready.fewest(scope)
    keys = ready.reads(scope)

    def holds(changed):
        after = scope.with_(changed)
        return test(after.family, {}, after.members) is True

    size = len(changes)
    if size:
        assert holds({(change.place, change.fact): change.needed for change in changes})
        assert all(change.needed != change.value for change in changes)
        assert all(change.needed in DOMAIN[change.fact] for change in changes)
    for count in range(1, size or min(3, len(keys) + 1)):
        for chosen in combinations(keys, count):
            for values in product(*(DOMAIN[name] for _, name in chosen)):
                assert not holds(dict(zip(chosen, values, strict=True))), (chosen, values)


alone = st.one_of(
    st.just("rich"),
    st.builds("decile {} {}".format, compare, number),
    st.sampled_from(["decile in [1, 3, 4]", "home == 'own'", "home != 'rent'", "home in ['own', 'free']"]),
    st.builds("{}(sick)".format, st.sampled_from(["any", "all"])),
    st.builds("{}(wage {} {})".format, st.sampled_from(["any", "all"]), compare, number),
    st.builds(
        "(decile {} {} {} decile {} {})".format,
        compare,
        number,
        st.sampled_from(["and", "or"]),
        compare,
        number,
    ),
    st.builds("any(sick {} wage {} {})".format, st.sampled_from(["and", "or"]), compare, number),
).flatmap(lambda text: st.sampled_from([text, f"not ({text})"]))
apart = st.recursive(
    alone,
    lambda inner: st.builds("({}) {} ({})".format, inner, st.sampled_from(["and", "or"]), inner),
    max_leaves=3,
)


@settings(max_examples=600, deadline=None)
@given(apart, family, st.lists(member, max_size=3))
def test_where_a_fact_stands_alone_its_own_comparison_tells_what_would_do(text, facts, members):
    tree = bound(text)
    ready, scope = Condition(tree, CATALOGUE), Scope(facts, members)
    assume(ready.whole(facts, {}, members) is False)
    changes = ready.fewest(scope)
    for change in changes:
        assert ready.accepted(scope, changes, change) == ready.accepted_among(scope, changes, change)


@pytest.mark.parametrize(
    ("text", "facts", "needed"),
    [
        ("decile <= 3", {"decile": 5}, [("decile", 3)]),
        ("decile < 3", {"decile": 5}, [("decile", 2)]),
        ("4 <= decile", {"decile": 1}, [("decile", 4)]),
        ("decile != 3", {"decile": 3}, [("decile", 2)]),
        ("not rich", {"rich": True}, [("rich", False)]),
        ("home in ['rent', 'free']", {"home": "own"}, [("home", "rent")]),
        ("rich or decile <= 2", {"rich": False, "decile": 5}, [("rich", True)]),
        ("decile <= 2 or rich", {"rich": False, "decile": 5}, [("decile", 2)]),
        (
            "(home == 'own' or rich) and (decile == 1 or rich)",
            {"rich": False, "decile": 5, "home": "rent"},
            [("rich", True)],
        ),
    ],
)  # fmt: skip
def test_ties_fall_to_the_first_in_the_text_and_values_are_the_nearest(text, facts, needed):
    tree = bind(expression(text, NAMES), {}, date(2026, 1, 1))
    everything = {"rich": None, "decile": None, "home": None} | facts
    changes = Condition(tree, CATALOGUE).fewest(Scope(everything, []))
    assert [(change.fact, change.needed) for change in changes] == needed


def test_an_unknown_condition_asks_only_for_what_keeps_it_open():
    tree = bind(expression("rich or any(sick and wage > 1)", NAMES), {}, date(2026, 1, 1))
    members = [{"sick": None, "wage": 3}, {"sick": None, "wage": 0}, {"sick": True, "wage": None}]
    scope = Scope({"rich": False, "decile": None, "home": None}, members)
    assert Condition(tree, CATALOGUE).unknowns(scope) == ((0, "sick"), (2, "wage"))


own_place = st.one_of(
    st.sampled_from(["sick", "(sick or rich)"]),
    st.builds("wage {} {}".format, compare, number),
    condition,
)
several = st.lists(st.tuples(family, st.lists(member, min_size=1, max_size=3)), min_size=2, max_size=12)


@settings(max_examples=300, deadline=None)
@given(own_place, several, st.data())
def test_what_is_kept_of_other_families_changes_no_answer(text, families, data):
    tree = bound(text, PERSONS)
    used = Condition(tree, CATALOGUE)
    for facts, members in families:
        scope = Scope(facts, members, data.draw(st.integers(0, len(members) - 1)))
        fresh = Condition(tree, CATALOGUE)
        outcome = fresh.whole(facts, scope.member(scope.own), members)
        if outcome is None:
            assert used.unknowns(scope) == fresh.unknowns(scope)
        elif not outcome:
            assert used.fewest(scope) == fresh.fewest(scope)


def test_nothing_is_promised_where_no_change_of_facts_can_help():
    tree = bind(expression("any(sick)", NAMES), {}, date(2026, 1, 1))
    assert Condition(tree, CATALOGUE).fewest(Scope({}, [])) == ()
