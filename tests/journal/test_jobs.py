"""One job: it is done once, tried again, given up, taken over; on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
import logging
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import Error, connections, transaction
from tests.journal.conftest import HandClock

from salur.access.policy import SYSTEM, Actor, Granted, Refused
from salur.core.faults import InputError
from salur.journal import jobs, selectors, services, work
from salur.journal.jobs import Retry, RunningJob, handler
from salur.journal.models import Event, Job
from salur.journal.services import ClaimedJob

pytestmark = pytest.mark.usefixtures("database")
OPERATOR = Actor("officer:5", (Granted("operator", ""),))
LEASE = timedelta(minutes=1)


def enqueue(clock: HandClock, count: int = 1, kind: str = "tests.act", **more: Any) -> list[int]:
    with transaction.atomic():
        ids = [services.enqueue(now=clock(), kind=kind, payload={"n": n}, **more) for n in range(count)]
    return [id_ for id_ in ids if id_ is not None]


def claim(
    clock: HandClock, most: int = 10, kinds: tuple[str, ...] = ("tests.act",)
) -> tuple[ClaimedJob, ...]:
    return services.jobs_claim(now=clock(), kinds=kinds, most=most, leased_until=clock() + LEASE)


def run_all(clock: HandClock) -> list[str]:
    """Run what is due, one worker; the results in their order."""
    results = []
    while claimed := claim(clock, kinds=tuple(jobs.HANDLERS)):
        results += [jobs.run(job, clock=clock).result for job in claimed]
    return results


def acts() -> list[int]:
    """What the handler `tests.act` did, from the database."""
    return sorted(
        json.loads(text)["n"]
        for text in Event.objects.filter(kind="tests.acted").values_list("detail", flat=True)
    )


def act(payload: dict[str, Any], *, now: Any) -> None:
    services.record(now=now, actor="system", kind="tests.acted", detail=payload)


# ---- claiming --------------------------------------------------------------------------------------------


def test_a_claim_takes_no_more_than_asked_in_the_order_of_their_time(clock: HandClock) -> None:
    late = enqueue(clock, 2, not_before=clock() + timedelta(seconds=5))
    soon = enqueue(clock, 5)
    assert [job.id for job in claim(clock, most=3)] == soon[:3]
    assert [job.id for job in claim(clock, most=9)] == soon[3:]
    assert claim(clock) == ()
    clock.forward(5)
    assert [job.id for job in claim(clock)] == late
    clock.forward(55)  # the leases of the first run out
    assert [job.id for job in claim(clock)] == soon


def test_only_known_kinds_are_claimed(clock: HandClock) -> None:
    enqueue(clock, kind="tests.of_a_newer_version")
    assert claim(clock) == ()
    assert services.jobs_claim(now=clock(), kinds=[], most=9, leased_until=clock() + LEASE) == ()


def test_two_workers_never_claim_the_same(clock: HandClock, database: str) -> None:
    """While the first has not committed yet, the second takes others (PostgreSQL) or waits (SQLite)."""
    ids = enqueue(clock, 4)
    both: list[tuple[ClaimedJob, ...]] = []

    def second() -> None:
        both.append(claim(clock, most=2))
        connections.close_all()

    thread = threading.Thread(target=second)
    with transaction.atomic():
        both.append(claim(clock, most=2))
        thread.start()
        if database == "postgres":
            thread.join(20)
            assert not thread.is_alive()
    thread.join(20)
    assert [[job.id for job in claimed] for claimed in both] == [ids[:2], ids[2:]]


# ---- keys ------------------------------------------------------------------------------------------------


def test_a_key_is_used_once_unless_its_job_is_dead(clock: HandClock) -> None:
    handler("tests.act")(act)
    assert len(enqueue(clock, 3, key="decide:1")) == 1
    assert len(enqueue(clock, 3)) == 3
    assert run_all(clock) == ["done"] * 4
    assert enqueue(clock, key="decide:1") == []
    with pytest.raises(Error), transaction.atomic():
        Job.objects.create(kind="a.b", payload="{}", key="decide:1", next_at=clock(), created_at=clock())

    (doomed,) = enqueue(clock, key="decide:2")
    (job,) = claim(clock)
    services.job_fail(now=clock(), job=job, error="no", again_at=None)
    (second,) = enqueue(clock, key="decide:2")
    with pytest.raises(InputError, match="has taken the place"):
        services.job_retry(now=clock(), actor=SYSTEM, job=doomed)
    assert Job.objects.get(id=second).state == "ready"


def test_writers_at_once_agree_on_one_job_of_a_key(clock: HandClock) -> None:
    together = threading.Barrier(4)
    ids: list[int | None] = []

    def write() -> None:
        together.wait(20)
        ids.append(services.enqueue(now=clock(), kind="tests.act", key="same"))
        connections.close_all()

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 4
    assert ids.count(None) == 3


def test_a_job_is_gone_with_the_transaction_that_wanted_it(clock: HandClock) -> None:
    with transaction.atomic():
        services.enqueue(now=clock(), kind="tests.act")
        transaction.set_rollback(True)
    assert not Job.objects.exists()
    with pytest.raises(ValueError, match="longer than"):
        services.enqueue(now=clock(), kind="tests.act", payload={"x": "y" * 10_000})


# ---- running ---------------------------------------------------------------------------------------------


def test_a_failure_takes_back_all_that_its_attempt_did(clock: HandClock) -> None:
    @handler("tests.act")
    def fails_twice(payload: dict[str, Any], *, now: Any) -> None:
        act(payload, now=now)
        if Job.objects.get().attempts < 3:
            raise InputError.of("The account {account} is closed.", account="3510011503909001")

    enqueue(clock)
    for wait in (10, 20):
        assert run_all(clock) == ["failed"]
        assert acts() == []
        assert Job.objects.get().last_error == "InputError: The account {account} is closed."
        clock.forward(wait - 1)
        assert run_all(clock) == []
        clock.forward(1)
    assert run_all(clock) == ["done"]
    assert acts() == [0]
    job = Job.objects.get()
    assert (job.state, job.attempts, job.last_error, job.ended_at) == ("done", 3, "", clock())


def test_a_poison_job_is_given_up_and_others_go_on(clock: HandClock) -> None:
    @handler("tests.act", retry=Retry(attempts_most=4))
    def poison(payload: dict[str, Any], *, now: Any) -> None:
        if payload["n"] == 1:
            raise ValueError("Siti Aminah 3510011503909001")
        act(payload, now=now)

    ids = enqueue(clock, 3)
    results = []
    for _ in range(9):
        results += run_all(clock)
        clock.forward(3_600)
    assert results == ["done", "failed", "done", "failed", "failed", "dead"]
    assert acts() == [0, 2]
    (dead,) = selectors.jobs(states=["dead"])
    assert (dead.id, dead.attempts) == (ids[1], 4)
    assert dead.last_error.startswith("ValueError")
    assert "Siti" not in dead.last_error
    assert "3510" not in dead.last_error
    assert selectors.job_counts() == {"ready": 0, "running": 0, "done": 2, "dead": 1}
    (event,) = selectors.events_of(f"job:{dead.id}")
    assert (event.kind, event.actor, event.detail) == ("journal.job_died", "system", {"kind": "tests.act"})


def test_a_job_that_kills_its_workers_is_given_up_and_its_neighbours_are_not_blamed(clock: HandClock) -> None:
    """A worker that is killed leaves what it had claimed as it is."""
    handler("tests.act", retry=Retry(attempts_most=3))(act)
    killer, *_ = enqueue(clock, 4)
    for _ in range(3):
        first, *neighbours = claim(clock)
        assert first.id == killer
        assert [job.attempts for job in neighbours] == [0, 0, 0]
        assert services.job_start(now=clock(), job=first, leased_until=clock() + LEASE)
        clock.forward(60)
    assert run_all(clock) == ["dead", "done", "done", "done"]
    assert acts() == [1, 2, 3]
    assert "lost" in Job.objects.get(id=killer).last_error


def test_a_lease_that_ran_out_can_change_nothing(clock: HandClock) -> None:
    enqueue(clock)
    (old,) = claim(clock)
    clock.forward(60)
    until = clock() + LEASE
    assert not services.job_start(now=clock(), job=old, leased_until=until)
    assert not services.job_renew(now=clock(), job=old, leased_until=until)
    assert not services.job_finish(now=clock(), job=old)
    (new,) = claim(clock)
    assert new.lease == old.lease + 1
    for now in (clock(), clock() - timedelta(seconds=30)):  # whatever the clock of the old worker says
        assert not services.job_start(now=now, job=old, leased_until=until)
        assert not services.job_renew(now=now, job=old, leased_until=until)
        assert not services.job_finish(now=now, job=old)
        assert not services.job_fail(now=now, job=old, error="x", again_at=now)
        services.jobs_release(jobs=[old])
    assert services.job_start(now=clock(), job=new, leased_until=until)
    assert services.job_finish(now=clock(), job=new)
    assert not services.job_finish(now=clock(), job=new)


def test_a_run_longer_than_its_lease_does_not_count(clock: HandClock) -> None:
    slow = True

    @handler("tests.act", lease_seconds=30)
    def sometimes_slow(payload: dict[str, Any], *, now: Any) -> None:
        act(payload, now=now)
        clock.forward(31 if slow else 29)

    enqueue(clock)
    (job,) = claim(clock)
    assert jobs.run(job, clock=clock).result == "lost"
    assert acts() == []
    slow = False
    assert run_all(clock) == ["done"]
    assert acts() == [0]


@pytest.mark.parametrize("in_steps", [False, True])
def test_a_long_run_renews_its_lease_and_nobody_takes_it(
    clock: HandClock, database: str, in_steps: bool
) -> None:
    taken: list[ClaimedJob] = []

    def another() -> None:
        taken.extend(claim(clock))
        connections.close_all()

    @handler("tests.act", lease_seconds=30, in_steps=in_steps)
    def long(payload: dict[str, Any], *, now: Any, job: RunningJob) -> None:
        for _ in range(4):
            clock.forward(29)
            job.renew()
            if in_steps or database == "postgres":  # on SQLite nobody can write while the handler does
                thread = threading.Thread(target=another)
                thread.start()
                thread.join()
        with transaction.atomic():
            act(payload, now=now)

    enqueue(clock)
    assert run_all(clock) == ["done"]
    assert (acts(), taken) == ([0], [])


def test_a_renewal_that_comes_too_late_ends_the_run(clock: HandClock) -> None:
    @handler("tests.act", lease_seconds=30)
    def late(payload: dict[str, Any], *, now: Any, job: RunningJob) -> None:
        act(payload, now=now)
        clock.forward(30)
        job.renew()

    enqueue(clock)
    (job,) = claim(clock)
    assert jobs.run(job, clock=clock).result == "lost"
    assert acts() == []


def test_a_broken_transaction_is_a_failure_like_another(clock: HandClock) -> None:
    @handler("tests.act")
    def breaks(payload: dict[str, Any], *, now: Any) -> None:
        Job.objects.create(kind="", payload="{}", next_at=now, created_at=now)

    enqueue(clock)
    assert run_all(clock) == ["failed"]
    assert Job.objects.get().last_error.startswith("IntegrityError")


def test_a_kind_has_one_handler() -> None:
    handler("tests.act")(act)
    with pytest.raises(ValueError, match="two handlers"):
        handler("tests.act")(act)


# ---- by the clock ----------------------------------------------------------------------------------------


def test_a_periodic_job_is_one_row_that_comes_again(clock: HandClock) -> None:
    @jobs.every(60)("tests.tick")
    def tick(payload: dict[str, Any], *, now: Any) -> None:
        services.record(now=now, actor="system", kind="tests.acted", detail={"n": now.minute})

    for _ in range(3):
        for _ in range(2):  # several workers plan
            jobs.plan(now=clock())
        assert run_all(clock) == ["done"]
        clock.forward(59)
        jobs.plan(now=clock())
        assert run_all(clock) == []
        clock.forward(1)
    assert acts() == [11, 12, 13]
    assert Job.objects.get().attempts == 0


def test_a_dead_periodic_job_is_replaced_and_stays_visible(clock: HandClock) -> None:
    jobs.every(60)("tests.tick")

    @handler("tests.tick", retry=Retry(attempts_most=1))
    def tick(payload: dict[str, Any], *, now: Any) -> None:
        if not Job.objects.filter(state="dead").exists():
            raise ValueError

    jobs.plan(now=clock())
    assert run_all(clock) == ["dead"]
    jobs.plan(now=clock())
    assert run_all(clock) == ["done"]
    assert selectors.job_counts() == {"ready": 1, "running": 0, "done": 0, "dead": 1}


# ---- people ----------------------------------------------------------------------------------------------


def test_an_operator_begins_a_dead_job_again(clock: HandClock) -> None:
    handler("tests.act")(act)
    (id_,) = enqueue(clock)
    (job,) = claim(clock)
    services.job_fail(now=clock(), job=job, error="no", again_at=None)
    with pytest.raises(Refused):
        services.job_retry(now=clock(), actor=Actor("officer:6"), job=id_)
    services.job_retry(now=clock(), actor=OPERATOR, job=id_)
    assert run_all(clock) == ["done"]
    with pytest.raises(InputError, match="no dead job"):
        services.job_retry(now=clock(), actor=OPERATOR, job=id_)
    kinds = [(event.kind, event.actor) for event in selectors.events_of(f"job:{id_}")]
    assert kinds == [("journal.job_died", "system"), ("journal.job_retried", "officer:5")]


def test_the_log_has_a_line_for_each_job_without_its_payload(
    clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    @handler("tests.act")
    def fails(payload: dict[str, Any], *, now: Any) -> None:
        if payload["n"]:
            raise ValueError("secret")

    with transaction.atomic():
        for n in (0, 4_711):
            services.enqueue(now=clock(), kind="tests.act", payload={"n": n})
    with caplog.at_level(logging.INFO, logger="salur.work"):
        assert work.run_due(clock=clock, stopped=lambda: False)
    told = [(line.getMessage(), line.__dict__["kind"], line.__dict__["attempt"]) for line in caplog.records]
    assert told == [("done", "tests.act", 1), ("failed", "tests.act", 1)]
    for line in caplog.records:
        assert "4711" not in str(line.__dict__)
        assert "secret" not in str(line.__dict__)


def test_a_worker_that_is_asked_to_stop_gives_back_what_it_has_not_begun(clock: HandClock) -> None:
    handler("tests.act")(act)
    ids = enqueue(clock, 3)
    assert work.run_due(clock=clock, stopped=lambda: bool(acts()))
    assert acts() == [0]
    rows = Job.objects.order_by("id").values_list("id", "state", "attempts", "leased_until")
    assert list(rows)[1:] == [(ids[1], "ready", 0, None), (ids[2], "ready", 0, None)]
