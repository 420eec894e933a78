"""The second wall around programmes: PostgreSQL shows the rows that the policy would, and a family its own."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, OperationalError, ProgrammingError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.programmes.conftest import NOW, Office, officer

from salur.access import policy, rows
from salur.access.policy import Actor, Granted
from salur.programmes import bulk, decrees, selectors
from salur.programmes.models import ClaimCode, Cycle, Decision, Duty, FamilyCase, Review, Standing

ACTION = "officers.unit"
ROLES = ["reviewer", "people_clerk", "operator"]  # the last may not
PLACES = ["35.09", "35.10", "35.11", "36.01", "91.02"]
GRANTED = ["", "35", "36", "35.10", "36.01", "35.1", "91"]
REVIEWER = "officer:2"
NATION = Actor("officer:8", (Granted("reviewer", ""),))  # SQLite has one wall
TABLES = ("decision", "familycase", "review", "claimcode", "standing")
CODES = ("index", "key_version", "family_id", "region", "issued_at")
postgres_only = pytest.mark.parametrize("database_url", ["postgres"], indirect=True)


def decision(cycle: Cycle, family: int, region: str, n: int = 1, before: Decision | None = None) -> Decision:
    case = FamilyCase.objects.create(
        population_id=cycle.population_id, family_id=family, revision=n - 1, sha256=bytes(32), body=b""
    )
    return Decision.objects.create(
        cycle=cycle, programme=cycle.programme, period=cycle.period, unit_id=family, family_id=family, region=region,
        n=n, outcome="eligible", failed=0, unknown=0, amount=family, amount_most=family, counts="1", case=case,
        supersedes=before, cause="cycle", decided_at=NOW, queue=1,
    )  # fmt: skip


@pytest.fixture
def cycle(office: Office) -> Cycle:
    """Two families in each of five regencies (1 to 10): each decided, reviewed, and with a claim code; one of each two
    is suspended. Family 1 was suspended where it lived before."""
    cycle = Cycle.objects.get(id=office.opened())
    Duty.objects.create(cycle=cycle, officer=REVIEWER, duty="review", since=NOW)
    for family, region in enumerate(sorted(PLACES * 2), start=1):
        made = decision(cycle, family, region)
        Review.objects.create(
            decision=made, cycle=cycle, reviewer=REVIEWER, judgement="unsure", judged_at=NOW
        )
        ClaimCode.objects.create(
            index=family.to_bytes(32, "big"), key_version=1, family_id=family, region=region, issued_at=NOW
        )
        if family % 2:
            Standing.objects.create(
                programme="pkh", unit_id=family, region="91.02" if family == 1 else region, kind="suspended",
                cause="other", since=NOW.date(), set_by=REVIEWER, set_at=NOW,
            )  # fmt: skip
    return cycle


_FAMILIES = {
    "decision": "SELECT family_id FROM programmes_decision",
    "familycase": "SELECT family_id FROM programmes_familycase",
    "claimcode": "SELECT family_id FROM programmes_claimcode",
    "standing": "SELECT unit_id FROM programmes_standing",
}


def seen(table: str) -> list[int]:
    """The families of the rows that a query without any condition finds."""
    with connection.cursor() as cursor:
        if table == "review":  # has no family: told by the decision, which is read with all rows open
            cursor.execute("SELECT decision_id FROM programmes_review")
            ids = [row[0] for row in cursor.fetchall()]
            with rows.everywhere():
                return sorted(Decision.objects.filter(id__in=ids).values_list("family_id", flat=True))
        cursor.execute(_FAMILIES[table])
        return sorted(row[0] for row in cursor.fetchall())


def region_of(family: int) -> str:
    return sorted(PLACES * 2)[family - 1]


def allowed(actor: Actor, table: str) -> list[int]:
    """By the policy in Python."""
    rule = policy.policy().actions[ACTION]

    def may(region: str) -> bool:
        return actor.within(region, rule.roles)

    if table != "standing":
        return [family for family in range(1, 11) if may(region_of(family))]
    return [family for family in range(1, 11, 2) if may(region_of(family)) or (family == 1 and may("91.02"))]


actors = st.builds(
    lambda grants: Actor("officer:7", tuple(grants)),
    st.lists(st.builds(Granted, st.sampled_from(ROLES), st.sampled_from(GRANTED)), max_size=3),
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actor=actors)
def test_rows_are_those_of_the_policy(database: str, cycle: Cycle, actor: Actor) -> None:
    with transaction.atomic(), rows.limited_to(actor, ACTION):
        for table in TABLES:
            assert seen(table) == allowed(actor if database == "postgres" else NATION, table), table


@postgres_only
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(family=st.integers(1, 12), within=st.booleans())
def test_a_family_sees_its_own_rows_and_only_for_one_query(cycle: Cycle, family: int, within: bool) -> None:
    with rows.closed_request():
        if within:
            with transaction.atomic():
                found = _of_family(family)
                assert [seen(table) for table in TABLES] == [[]] * len(TABLES)
        else:
            found = _of_family(family)
        assert [seen(table) for table in TABLES] == [[]] * len(TABLES)
    known = [family] if family <= 10 else []
    suspended = [family] if family <= 10 and family % 2 else []
    assert found == {
        "decision": known, "familycase": known, "review": known, "claimcode": [], "standing": suspended
    }  # fmt: skip


def _of_family(family: int) -> dict[str, list[int]]:
    queries = _FAMILIES | {
        "review": "SELECT d.family_id FROM programmes_review r JOIN programmes_decision d ON d.id = r.decision_id"
    }
    return {table: [row[0] for row in rows.fetch_of_family(family, queries[table], [])] for table in TABLES}


@postgres_only
@pytest.mark.parametrize("within", [False, True])
def test_a_connection_that_was_lost_is_replaced_unless_more_hangs_on_it(
    database_url: str, cycle: Cycle, within: bool
) -> None:
    with rows.closed_request():
        assert _of_family(3)["decision"] == [3]
        before = connection.connection.info.backend_pid
        if not within:
            _end(database_url, before)
            assert _of_family(3)["decision"] == [3]
            assert connection.connection.info.backend_pid != before
            assert seen("decision") == []  # closed on the new one too
            return
        with transaction.atomic():
            _end(database_url, before)
            with pytest.raises(OperationalError):
                _of_family(3)
            connection.close()


def _end(url: str, backend: int) -> None:
    with psycopg.connect(url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [backend])


@postgres_only
def test_a_family_can_write_nothing(cycle: Cycle) -> None:
    change = "UPDATE programmes_standing SET region = '35.10' WHERE unit_id = 3 RETURNING id"
    with rows.closed_request():
        assert rows.fetch_of_family(3, change, []) == []
        with pytest.raises(ProgrammingError, match="row-level security"):
            rows.fetch_of_family(
                3,
                "INSERT INTO programmes_claimcode (index, family_id, region, issued_at) "
                "VALUES ('x', 3, '35.10', now()) RETURNING id",
                [],
            )
        assert seen("decision") == []


def limited(region: str) -> Any:
    return rows.limited_to(officer(2, "reviewer", region=region), ACTION)


@postgres_only
def test_a_row_of_another_region_cannot_be_written(cycle: Cycle) -> None:
    """Whatever the triggers, which see all rows, would let pass."""
    other = Decision.objects.get(family_id=10)
    Duty.objects.create(cycle=cycle, officer="officer:3", duty="review", since=NOW)
    with transaction.atomic(), limited("35.10"):
        assert Review.objects.filter(decision=other).update(finding="doubts", found_at=NOW) == 0
        for act in (
            lambda: decision(cycle, 99, "91.02"),
            lambda: Review.objects.create(
                decision=other, cycle=cycle, reviewer="officer:3", judgement="unsure", judged_at=NOW
            ),
            lambda: FamilyCase.objects.create(
                population_id=cycle.population_id, family_id=10, revision=1, sha256=b"", body=b""
            ),
            lambda: bulk.insert(ClaimCode, CODES, [(b"a", 1, 3, "35.10", NOW), (b"b", 1, 10, "91.02", NOW)]),
        ):  # fmt: skip
            with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
                act()
        bulk.insert(ClaimCode, CODES, [(b"a", 1, 3, "35.10", NOW)])
        assert 3 in seen("claimcode")
        assert 10 not in seen("claimcode")


def test_triggers_see_all_rows_and_close_again(database: str, cycle: Cycle) -> None:
    """A family that moved: the decision that it supersedes stands in another region."""
    first = Decision.objects.get(family_id=10)
    case = FamilyCase.objects.get(family_id=10)
    with transaction.atomic(), limited("35.10"):
        before = seen("decision")
        for n, passes in ((3, False), (2, True)):
            later = Decision(
                cycle=cycle, programme="pkh", period=cycle.period, unit_id=10, family_id=10, region="35.10", n=n,
                outcome="eligible", failed=0, unknown=0, amount=0, amount_most=0, counts="1", case_id=case.id,
                supersedes_id=first.id, cause="supplement", decided_at=NOW,
            )  # fmt: skip
            if passes:
                later.save()
            else:
                with pytest.raises(IntegrityError), transaction.atomic():
                    later.save()
        expected = [*before, 10]
        assert seen("decision") == sorted(expected)
    assert len(seen("decision")) == 11


def test_what_may_miss_nothing_misses_nothing(cycle: Cycle) -> None:
    """The list of a decree, its totals and the counts of a cycle are whole, whoever asks; nobody who was suspended in
    another region is due."""
    cycle.state = Cycle.State.DECIDED
    cycle.decided_at = NOW
    cycle.save()

    def counted() -> list[Any]:
        return [
            decrees.totals(cycle), decrees.digest(cycle), selectors.outcomes(cycle), selectors.queue_counts(cycle),
            list(selectors.by_district(cycle)), selectors.cycles_under_review_of([10]),
        ]  # fmt: skip

    whole = counted()
    assert whole[0].amount == 2 + 4 + 6 + 8 + 10
    with transaction.atomic(), limited("35.09"):
        assert counted() == whole
        due = set(selectors.due(cycle).values_list("family_id", flat=True))
        assert 1 not in due
        assert 2 in due
    with rows.closed_request():
        assert counted() == whole


def test_the_walls_stand_for_the_role_of_the_tests(cycle: Cycle) -> None:
    assert not rows.bypassed()
