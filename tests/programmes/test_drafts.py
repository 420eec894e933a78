"""Drafts: nobody writes over anybody, what was saved stays, a simulation is done once, two people put it in force."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import IntegrityError, transaction
from tests.programmes.conftest import BOOKS, EDITORS, NOW, OPENER, REVIEWERS, SUPERVISOR, Office

from salur.access.policy import SYSTEM, Refused
from salur.core import rules
from salur.core.faults import InputError
from salur.core.rules.simulate import simulate
from salur.journal import jobs
from salur.journal import services as journal
from salur.journal.models import Event, Job
from salur.programmes import books, drafts, selectors, services
from salur.programmes.models import Draft, DraftCatalogue, DraftRevision, DraftRun, RulebookVersion

HIGHEST = 'value = 4, basis = "desil-2025"'
ONE, TWO = EDITORS


@pytest.fixture
def draft(office: Office, monkeypatch: pytest.MonkeyPatch) -> Draft:
    """A draft of PKH as it is, with its population registered."""
    for name in ("SIMULATIONS_FOLDER", "DECISIONS_FOLDER"):
        monkeypatch.setattr(settings, name, office.folder / name.lower())
    services.population_add(now=NOW, actor=SYSTEM, population=office.population)
    made = services.draft_begin(now=NOW, actor=ONE, version_id=office.version("pkh"))
    found = drafts.draft(made)
    assert found is not None
    return found


def last(draft: Draft) -> DraftRevision:
    found = drafts.revision(draft)
    assert found is not None
    return found


def save(draft: Draft, decile: int, actor: Any = ONE, seen: int | None = None) -> int:
    text = (BOOKS / "pkh.toml").read_text("utf-8").replace(HIGHEST, HIGHEST.replace("4", str(decile), 1))
    return services.draft_save(
        now=NOW, actor=actor, draft_id=draft.id, text=text, seen=last(draft).n if seen is None else seen
    )


def ask(draft: Draft, *, sample: int = 1, queued: bool = True, later: int = 0) -> DraftRun:
    return services.draft_run_ask(
        now=NOW + timedelta(minutes=later), actor=ONE, revision_id=last(draft).id,
        population_id=selectors.populations()[0].id, against_id=draft.base_id, sample=sample, queued=queued,
    )  # fmt: skip


def work() -> None:
    import salur.programmes.jobs  # noqa: F401  # registers the handlers

    clock = lambda: NOW + timedelta(hours=1)  # noqa: E731
    for job in journal.jobs_claim(
        now=clock(), kinds=["programmes.draft_run"], most=9, leased_until=clock() + timedelta(hours=1)
    ):
        assert jobs.run(job, clock=clock).result == "done"


# ---- writing ---------------------------------------------------------------------------------------------------


def test_a_draft_begins_with_the_text_of_its_version_and_each_save_is_a_revision(draft: Draft) -> None:
    assert drafts.text(last(draft)) == (BOOKS / "pkh.toml").read_text("utf-8")
    assert save(draft, 5) == 2
    assert save(draft, 5) == 2  # nothing differs
    assert save(draft, 6, TWO) == 3
    told = [(row.n, row.saved_by, row.saved_at) for row in drafts.revisions(draft)]
    assert told == [(3, TWO.ref, NOW), (2, ONE.ref, NOW), (1, ONE.ref, NOW)]
    kinds = (
        Event.objects.filter(subject_ref=f"draft:{draft.id}").order_by("id").values_list("kind", flat=True)
    )
    assert list(kinds) == ["programmes.draft_begun", *["programmes.draft_saved"] * 2]


def test_lines_that_a_browser_ends_with_two_characters_are_no_difference(draft: Draft) -> None:
    text = drafts.text(last(draft)).replace("\n", "\r\n")
    assert services.draft_save(now=NOW, actor=ONE, draft_id=draft.id, text=text, seen=1) == 1


def test_two_editors_never_write_over_each_other(draft: Draft) -> None:
    save(draft, 5, ONE, seen=1)
    with pytest.raises(services.SavedMeanwhile, match="Revision 2 was saved"):
        save(draft, 6, TWO, seen=1)
    assert last(draft).n == 2
    assert HIGHEST.replace("4", "5", 1) in drafts.text(last(draft))
    with pytest.raises(IntegrityError), transaction.atomic():  # and the database holds it
        DraftRevision.objects.create(
            draft=draft, n=2, raw=b"", sha256="0" * 64, saved_by=TWO.ref, saved_at=NOW
        )


def test_the_database_keeps_what_was_saved(draft: Draft) -> None:
    row = last(draft)
    for act in (
        lambda: DraftRevision.objects.filter(id=row.id).update(raw=b"x"),
        lambda: DraftRevision.objects.filter(id=row.id).delete(),
        lambda: DraftRevision.objects.create(
            draft=draft, n=3, raw=b"", sha256="0" * 64, saved_by=TWO.ref, saved_at=NOW
        ),
        lambda: Draft.objects.filter(id=draft.id).update(programme="pip"),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            act()
    services.draft_drop(now=NOW, actor=TWO, draft_id=draft.id)
    with pytest.raises(IntegrityError), transaction.atomic():
        Draft.objects.filter(id=draft.id).update(ended_by="", ended_at=None)
    with pytest.raises(InputError, match="This draft has ended"):
        save(draft, 5)


def test_faults_are_sentences_with_their_lines_and_no_reason_not_to_save(draft: Draft) -> None:
    text = drafts.text(last(draft)).replace('"decile <= highest_decile"', '"decile <= highest"')
    services.draft_save(now=NOW, actor=ONE, draft_id=draft.id, text=text, seen=1)
    checked = drafts.checked(last(draft))
    line = next(n for n, row in enumerate(text.split("\n"), 1) if "decile <= highest" in row)
    assert checked.rulebook is None
    assert line in [fault.line for fault in checked.faults]
    with pytest.raises(InputError, match="This draft has faults"):
        ask(draft)
    services.draft_save(now=NOW, actor=ONE, draft_id=draft.id, text="format = \n1", seen=2)
    assert drafts.checked(last(draft)).faults[0].line == 1


def test_a_draft_stays_one_of_its_programme(draft: Draft) -> None:
    for file, said in (("pip", 'id = "pkh"'), ("digital-talent", 'unit = "family"')):
        text = (BOOKS / f"{file}.toml").read_text("utf-8")
        if "unit" in said:
            text = text.replace('"digital-talent"', '"pkh"', 1)
        services.draft_save(now=NOW, actor=ONE, draft_id=draft.id, text=text, seen=last(draft).n)
        (fault,) = drafts.checked(last(draft)).faults
        line = next(n for n, row in enumerate(text.split("\n"), 1) if row.split()[:1] == said.split()[:1])
        assert (fault.line, str(fault.sentence())) == (line, f"A draft of this programme keeps {said}.")


def test_a_nik_or_a_file_that_is_too_large_is_not_kept(draft: Draft) -> None:
    text = drafts.text(last(draft))
    for more, said in (
        ("# 3510011503909001\n", "long number"),
        ("# HP 0813-3590-7264\n", "long number"),
        ("#" * 70_000, "at most"),
    ):
        with pytest.raises(InputError, match=said):
            services.draft_save(now=NOW, actor=ONE, draft_id=draft.id, text=text + more, seen=1)
    assert last(draft).n == 1


def test_only_rule_editors_write_simulate_and_hand_in(draft: Draft) -> None:
    for other in (SUPERVISOR, REVIEWERS[0], replace(ONE, grants=(replace(ONE.grants[0], region="35.10"),))):
        for act in (
            lambda who=other: services.draft_begin(now=NOW, actor=who, version_id=draft.base_id),
            lambda who=other: save(draft, 5, who),
            lambda who=other: services.draft_drop(now=NOW, actor=who, draft_id=draft.id),
            lambda who=other: services.draft_submit(
                now=NOW, actor=who, draft_id=draft.id, seen=1, in_force_from=date(2027, 1, 1)
            ),
            lambda who=other: services.draft_run_ask(
                now=NOW, actor=who, revision_id=1, population_id=1, against_id=1, sample=1
            ),
            lambda who=other: services.draft_run_cancel(now=NOW, actor=who, run_id=1),
            lambda who=other: services.draft_run(now=NOW, actor=who, run_id=1, attempt=1),
        ):
            with pytest.raises(Refused):
                act()
    assert Draft.objects.get().ended_by == ""


# ---- simulations -----------------------------------------------------------------------------------------------


def test_a_simulation_is_that_of_the_rules_and_is_done_once(
    draft: Draft, office: Office, tmp_path: Path
) -> None:
    save(draft, 10)
    run = ask(draft)
    assert ask(draft).id == run.id
    assert Job.objects.filter(kind="programmes.draft_run").count() == 1
    work()
    run.refresh_from_db()
    new, on = drafts.checked(last(draft)).rulebook, office.population.reference_date
    assert new is not None
    same = simulate(
        rules.plan_on(new, on), books.plan(draft.base_id, on), office.population, tmp_path / "own"
    )
    assert (run.state, run.done, run.whole) == ("done", 1, 1)
    assert drafts.simulation(run) == same  # nothing is lost on the way through the database
    assert {line.names: line.units for line in same.kinds}[("gains",)] > 0
    assert not drafts.folder(run).exists()
    assert ask(draft).state == "done"


def test_the_sample_is_answered_by_the_page_once_its_families_were_cut_out(draft: Draft) -> None:
    assert not drafts.sample_is_ready(selectors.populations()[0])
    ask(draft, sample=2)
    work()
    DraftRun.objects.update(sample=drafts.SAMPLE)  # a hundredth of 400 families says nothing
    assert drafts.sample_is_ready(selectors.populations()[0])
    save(draft, 6)
    run = ask(draft, sample=2, queued=False)
    services.draft_run(now=NOW, actor=ONE, run_id=run.id, attempt=run.attempt)
    run.refresh_from_db()
    found = drafts.simulation(run)
    assert found is not None
    assert (found.sample, found.times) == ((1, 2), 2)
    services.draft_run(now=NOW, actor=ONE, run_id=run.id, attempt=run.attempt)  # once more does nothing
    assert Event.objects.filter(kind="programmes.draft_run_done").count() == 2


def test_a_page_that_does_it_keeps_another_away_until_it_is_lost(draft: Draft) -> None:
    run = ask(draft, queued=False)
    DraftRun.objects.update(state="running")
    services.draft_run(now=NOW, actor=ONE, run_id=run.id, attempt=1)
    assert DraftRun.objects.get().state == "running"
    assert ask(draft, queued=False).attempt == 1
    again = ask(draft, queued=False, later=5)
    assert (again.state, again.attempt) == ("waiting", 2)


def test_cancelled_it_stops_and_asked_again_it_is_another_attempt(draft: Draft) -> None:
    save(draft, 6)
    run = ask(draft)

    seen = []

    def cancelled_by_another() -> None:
        seen.append(DraftRun.objects.get().state)
        if seen[-1] == "running":
            services.draft_run_cancel(now=NOW, actor=TWO, run_id=run.id)

    services.draft_run(now=NOW, actor=SYSTEM, run_id=run.id, attempt=1, renew=cancelled_by_another)
    run.refresh_from_db()
    assert (run.state, run.result) == ("cancelled", None)
    assert "cancelled" not in seen  # it went no step further
    with pytest.raises(InputError, match="has ended already"):
        services.draft_run_cancel(now=NOW, actor=TWO, run_id=run.id)
    again = ask(draft)
    assert (again.id, again.attempt, again.state) == (run.id, 2, "waiting")
    services.draft_run(now=NOW, actor=SYSTEM, run_id=run.id, attempt=1)  # the first job, come late
    assert DraftRun.objects.get().state == "waiting"
    work()
    assert DraftRun.objects.get().state == "done"


class Killed(BaseException):
    pass


def test_killed_it_goes_on_with_the_next_attempt_of_its_job(draft: Draft) -> None:
    save(draft, 6)
    run = ask(draft)

    def killed() -> None:
        raise Killed

    with pytest.raises(Killed):
        services.draft_run(now=NOW, actor=SYSTEM, run_id=run.id, attempt=1, renew=killed)
    assert drafts.folder(run).exists()  # what it has is there to go on with
    services.draft_run(now=NOW, actor=SYSTEM, run_id=run.id, attempt=1)
    assert DraftRun.objects.get().state == "done"


def test_what_cannot_be_simulated_is_told_in_a_sentence(draft: Draft) -> None:
    save(draft, 6)
    population = selectors.populations()[0]
    population.path = str(Path(population.path).parent / "gone")
    population.save()
    run = ask(draft)
    work()
    run.refresh_from_db()
    assert run.state == "failed"
    assert str(drafts.faults_of(run)[0].sentence()) != ""
    assert ask(draft).attempt == 2


def test_ceilings_stand_beside_the_cost_where_they_hold(draft: Draft) -> None:
    save(draft, 10)
    for region, amount in (("", 10**12), ("35.10", 1), ("31.71", 5)):
        services.ceiling_set(
            now=NOW, actor=SUPERVISOR, programme="pkh", period="2026-Q4", amount=amount, since=date(2026, 1, 1),
            basis="DIPA", region=region,
        )  # fmt: skip
    run = ask(draft)
    work()
    run.refresh_from_db()
    found = drafts.simulation(run)
    assert found is not None
    assert found.before is not None
    told = {row.ceiling.region: row for row in drafts.against_ceilings(found)}
    assert set(told) == {"", "35.10"}  # nobody of this population lives in 31.71
    assert (told[""].before, told[""].after) == (found.before.cost, found.after.cost)
    assert told[""].left == 10**12 - (found.after.cost or 0)
    assert (told["35.10"].left or 0) < 0


# ---- becoming a version ----------------------------------------------------------------------------------------


def test_two_people_put_a_draft_in_force_and_the_version_knows_where_it_came_from(draft: Draft) -> None:
    hand_in: Callable[..., int] = lambda **more: services.draft_submit(  # noqa: E731
        **{
            "now": NOW,
            "actor": ONE,
            "draft_id": draft.id,
            "seen": last(draft).n,
            "in_force_from": date(2027, 1, 1),
        }
        | more
    )
    with pytest.raises(InputError, match="says what the version says"):
        hand_in()
    save(draft, 5)
    with pytest.raises(services.SavedMeanwhile):
        hand_in(seen=1)
    with pytest.raises(InputError, match="no value in force"):
        hand_in(in_force_from=date(1999, 1, 1))
    version = hand_in()
    row = RulebookVersion.objects.get(id=version)
    assert (row.added_by, row.approved_by, bytes(row.raw)) == (ONE.ref, "", bytes(last(draft).raw))
    assert drafts.drafts_of([version]) == {version: draft}
    assert selectors.version_in_force("pkh", date(2027, 2, 1)) == draft.base_id  # nobody alone
    with pytest.raises(InputError, match="somebody else must"):
        services.rulebook_approve(now=NOW, actor=ONE, version_id=version)
    services.rulebook_approve(now=NOW, actor=TWO, version_id=version)
    assert selectors.version_in_force("pkh", date(2027, 2, 1)) == version
    assert selectors.version_in_force("pkh", date(2026, 12, 31)) == draft.base_id
    with pytest.raises(InputError, match="This draft has ended"):
        save(draft, 6)


# ---- a programme that has no version ---------------------------------------------------------------------------

NEW = (BOOKS / "digital-talent.toml").read_text("utf-8").replace('"digital-talent"', '"kelas-desa"', 1)
FACTS = (BOOKS / "facts.toml").read_bytes()


def begun(text: str = NEW, actor: Any = ONE) -> Draft:
    found = drafts.draft(services.draft_begin_new(now=NOW, actor=actor, text=text, facts_raw=FACTS))
    assert found is not None
    return found


def test_a_new_programme_begins_as_a_draft_and_two_people_put_it_in_force(office: Office) -> None:
    draft = begun(NEW.replace("require ", "requires ", 1))
    assert (
        drafts.checked(last(draft)).faults[0].line > 0
    )  # a text with faults is kept, and told with its line

    def hand_in() -> int:
        return services.draft_submit(
            now=NOW, actor=ONE, draft_id=draft.id, seen=last(draft).n, in_force_from=date(2026, 1, 1)
        )

    with pytest.raises(InputError, match="has faults"):
        hand_in()
    services.draft_save(
        now=NOW, actor=TWO, draft_id=draft.id, text=NEW.replace("kelas-desa", "kelas-kota"), seen=1
    )
    assert 'keeps id = "kelas-desa"' in drafts.checked(last(draft)).faults[0].sentence(str)
    services.draft_save(now=NOW, actor=TWO, draft_id=draft.id, text=NEW, seen=2)
    version = hand_in()
    row = RulebookVersion.objects.get(id=version)
    assert (row.programme, bytes(row.raw), bytes(row.facts_raw)) == ("kelas-desa", NEW.encode(), FACTS)
    assert selectors.version_in_force("kelas-desa", date(2026, 12, 1)) is None
    with pytest.raises(InputError, match="somebody else must"):
        services.rulebook_approve(now=NOW, actor=ONE, version_id=version)
    services.rulebook_approve(now=NOW, actor=TWO, version_id=version)
    assert selectors.version_in_force("kelas-desa", date(2026, 12, 1)) == version
    assert drafts.drafts_of([version]) == {version: draft}
    with pytest.raises(InputError, match="has a version already"):
        begun()
    assert services.cycle_open(
        now=office.now, actor=OPENER, version_id=version, period="2026", regions=["35.10"],
        population=office.population,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "names its programme"),
        ('format = 1\n[[basis]]\nid = "uu"\n', "names its programme"),
        ('id = "Kelas Desa"', "names its programme"),
        ('id = "kelas-desa"\nsource = "3510011503909001"', "NIK"),
        ('id = "kelas-desa"\n' + "#" * 65_536, "has at most"),
    ],
)
def test_a_text_that_cannot_begin_a_draft_is_refused(office: Office, text: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        begun(text)
    assert not Draft.objects.exists()


def test_a_new_programme_is_begun_by_rule_editors_and_keeps_its_facts(office: Office) -> None:
    for actor in (REVIEWERS[0], SUPERVISOR):
        with pytest.raises(Refused):
            begun(actor=actor)
    with pytest.raises(InputError):
        services.draft_begin_new(now=NOW, actor=ONE, text=NEW, facts_raw=b"format = 99")
    draft = begun()
    with pytest.raises(IntegrityError), transaction.atomic():
        DraftCatalogue.objects.filter(draft=draft).update(raw=b"")
    with pytest.raises(IntegrityError), transaction.atomic():
        Draft.objects.filter(id=draft.id).update(base=office.version("pkh"))
