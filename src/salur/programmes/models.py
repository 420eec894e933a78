"""Rulebook versions and their drafts, ceilings, cycles, decisions, reviews and decrees.

What a cycle may never become is held by the database: nobody has two duties in a cycle, a decree is signed by
somebody who neither opened nor reviewed, a decision is never changed, money is never negative, and a unit has one
line of decisions in a period, each of which names the one that it supersedes.
"""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

REGION_LENGTH, VILLAGE_LENGTH = 5, 13
SHA256_BYTES, SHA256_HEX = 32, 64
PERIOD_LENGTH_MOST = 12
PROGRAMME_LENGTH_MOST = 60


class RulebookVersion(models.Model):
    """A rulebook with its fact catalogue, whole, as two people put it in force from a date."""

    programme = models.CharField(max_length=PROGRAMME_LENGTH_MOST)
    sha256 = models.CharField(max_length=SHA256_HEX)
    raw = models.BinaryField()
    facts_sha256 = models.CharField(max_length=SHA256_HEX)
    facts_raw = models.BinaryField()
    in_force_from = models.DateField()
    added_by = models.CharField(max_length=40)
    added_at = models.DateTimeField()
    approved_by = models.CharField(max_length=40, blank=True)
    approved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["programme", "sha256", "facts_sha256", "in_force_from"], name="rulebook_version_once"
            ),
            models.CheckConstraint(
                condition=Q(approved_by="", approved_at__isnull=True)
                | (~Q(approved_by="") & Q(approved_at__isnull=False) & ~Q(approved_by=F("added_by"))),
                name="rulebook_version_by_two",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.programme} {self.sha256[:12]}"


class Ceiling(models.Model):
    """The most that a programme may spend in a period and region (empty: the nation), as one decree after the other."""

    programme = models.CharField(max_length=PROGRAMME_LENGTH_MOST)
    period = models.CharField(max_length=PERIOD_LENGTH_MOST)
    region = models.CharField(max_length=REGION_LENGTH, blank=True)
    amount = models.BigIntegerField()  # whole rupiah
    since = models.DateField()
    basis = models.CharField(max_length=200)
    set_by = models.CharField(max_length=40)
    set_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gte=0), name="ceiling_not_negative"),
            models.CheckConstraint(condition=~Q(basis=""), name="ceiling_has_a_basis"),
            models.UniqueConstraint(
                fields=["programme", "period", "region", "since"], name="ceiling_once_a_day"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.programme} {self.period} {self.region}"


class Budget(models.Model):
    """What is left of the ceiling that is in force. The database refuses to reserve more than there is."""

    programme = models.CharField(max_length=PROGRAMME_LENGTH_MOST)
    period = models.CharField(max_length=PERIOD_LENGTH_MOST)
    region = models.CharField(max_length=REGION_LENGTH, blank=True)
    amount = models.BigIntegerField()
    reserved = models.BigIntegerField(default=0)  # by signed decrees

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["programme", "period", "region"], name="budget_once"),
            models.CheckConstraint(
                condition=Q(reserved__gte=0, reserved__lte=F("amount")), name="budget_not_overspent"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.programme} {self.period} {self.region}"


class Population(models.Model):
    """A population that cycles were decided from: its id, and where its folder is."""

    sha256 = models.CharField(max_length=SHA256_HEX, unique=True)
    path = models.CharField(max_length=1_000)
    reference_date = models.DateField()
    added_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.sha256[:12]


class Cycle(models.Model):
    """One programme in one period for some regions; a supplement is a later number of the same period."""

    class State(models.TextChoices):
        OPENED = "opened"  # waiting to be decided
        DECIDED = "decided"  # decisions are loaded and under review
        DECREED = "decreed"  # signed: what is due is due
        CLOSED = "closed"
        CANCELLED = "cancelled"  # before a decree

    programme = models.CharField(max_length=PROGRAMME_LENGTH_MOST)
    period = models.CharField(max_length=PERIOD_LENGTH_MOST)
    number = models.PositiveSmallIntegerField()  # 0: the main cycle; 1, 2 …: supplements
    regions = models.JSONField()  # sorted list of regency codes
    version = models.ForeignKey(RulebookVersion, on_delete=models.PROTECT)
    population = models.ForeignKey(Population, on_delete=models.PROTECT)
    reference_date = models.DateField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPENED)
    opened_by = models.CharField(max_length=40)
    opened_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True, blank=True)
    decisions = models.CharField(max_length=SHA256_HEX, blank=True)  # id of the folder of decisions
    cutoffs = models.JSONField(default=dict)  # where the places of each area ended
    audit_seed = models.BinaryField(max_length=SHA256_BYTES)  # draws the 5 % that are audited
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["programme", "period", "number"],
                condition=~Q(state="cancelled"),
                name="cycle_once_a_period",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["opened", "cancelled"]) | Q(decided_at__isnull=False),
                name="cycle_decided_before_it_goes_on",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.programme} {self.period}" + (f" +{self.number}" if self.number else "")


class Duty(models.Model):
    """What an officer does in a cycle: one thing only. Rows are never changed and never removed."""

    class Kind(models.TextChoices):
        OPEN = "open"
        REVIEW = "review"
        DECREE = "decree"

    cycle = models.ForeignKey(Cycle, on_delete=models.PROTECT, related_name="duties")
    officer = models.CharField(max_length=40)
    duty = models.CharField(max_length=10, choices=Kind.choices)
    since = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["cycle", "officer"], name="duty_one_for_each_officer"),
            models.UniqueConstraint(fields=["cycle"], condition=Q(duty="decree"), name="duty_decree_by_one"),
            models.CheckConstraint(condition=Q(officer__startswith="officer:"), name="duty_of_an_officer"),
        ]

    def __str__(self) -> str:
        return f"{self.officer} {self.duty}"


class FamilyCase(models.Model):
    """The canonical case of a family as it was decided, compressed: everything a decision rests on.

    `revision` 0 is the family in the population; each set of corrections makes the next.
    """

    population = models.ForeignKey(Population, on_delete=models.PROTECT, db_index=False)
    family_id = models.BigIntegerField()
    revision = models.PositiveIntegerField()
    sha256 = models.BinaryField(max_length=SHA256_BYTES)
    body = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["family_id", "population", "revision"], name="family_case_once"),
        ]

    def __str__(self) -> str:
        return f"family {self.family_id} revision {self.revision}"


class Decision(models.Model):
    """The outcome for one unit, never changed: the next one names what it supersedes and its cause."""

    cycle = models.ForeignKey(Cycle, on_delete=models.PROTECT)
    programme = models.CharField(max_length=PROGRAMME_LENGTH_MOST)
    period = models.CharField(max_length=PERIOD_LENGTH_MOST)
    unit_id = models.BigIntegerField()
    family_id = models.BigIntegerField()
    region = models.CharField(max_length=REGION_LENGTH)  # regency
    village = models.CharField(max_length=VILLAGE_LENGTH, blank=True)
    n = models.PositiveIntegerField()  # 1, 2 … in the period
    outcome = models.CharField(max_length=12)
    failed = models.BigIntegerField()
    unknown = models.BigIntegerField()
    amount = models.BigIntegerField()  # whole rupiah, certain
    amount_most = models.BigIntegerField()  # if everything unknown turned out to hold
    counts = models.CharField(max_length=300)  # "1,0,2": a number for each component
    rank = models.BigIntegerField(null=True, blank=True)
    case = models.ForeignKey(FamilyCase, on_delete=models.PROTECT, db_index=False)
    supersedes = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="superseded_by"
    )
    cause = models.CharField(max_length=80)  # "cycle", "correction:12", "supplement"
    decided_at = models.DateTimeField()
    queue = models.PositiveSmallIntegerField(default=0)  # why it is reviewed: QUEUES, 0 is not at all
    distance = models.BigIntegerField(default=0)  # from the cut; the order of its queue

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["unit_id", "period", "programme", "n"], name="decision_n_once"),
            models.CheckConstraint(
                condition=Q(outcome__in=["not_found", "not_eligible", "needs_data", "waiting", "eligible"]),
                name="decision_outcome",
            ),
            models.CheckConstraint(
                condition=Q(amount__gte=0, amount_most__gte=F("amount")), name="decision_amounts"
            ),
            models.CheckConstraint(
                condition=Q(amount=0) | Q(outcome="eligible"), name="decision_money_only_if_eligible"
            ),
            models.CheckConstraint(
                condition=Q(n=1, supersedes__isnull=True) | Q(n__gt=1, supersedes__isnull=False),
                name="decision_names_what_it_supersedes",
            ),
            models.CheckConstraint(condition=~Q(cause=""), name="decision_has_a_cause"),
        ]
        indexes = [
            models.Index(fields=["family_id"], name="decision_of_family"),
            models.Index(
                fields=["cycle", "region", "queue", "distance", "id"],
                condition=Q(queue__gt=0),
                name="decision_queue",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.programme} {self.period} unit {self.unit_id} n {self.n}"


class Review(models.Model):
    """One officer's look at one decision. The own judgement comes first, before the outcome is shown."""

    class Judgement(models.TextChoices):
        ENTITLED = "entitled"
        NOT_ENTITLED = "not_entitled"
        UNSURE = "unsure"

    class Finding(models.TextChoices):
        CONFIRMS = "confirms"
        CORRECTS = "corrects"
        DOUBTS = "doubts"

    decision = models.ForeignKey(Decision, on_delete=models.PROTECT, related_name="reviews")
    cycle = models.ForeignKey(Cycle, on_delete=models.PROTECT)
    reviewer = models.CharField(max_length=40)
    judgement = models.CharField(max_length=12, choices=Judgement.choices)
    judged_at = models.DateTimeField()
    finding = models.CharField(max_length=10, choices=Finding.choices, blank=True)
    found_at = models.DateTimeField(null=True, blank=True)
    corrections = models.JSONField(default=list)  # ids of the corrections it led to

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["decision", "reviewer"], name="review_once_by_each"),
            models.CheckConstraint(
                condition=Q(finding="", found_at__isnull=True)
                | (~Q(finding="") & Q(found_at__gte=F("judged_at"))),
                name="review_judged_before_found",
            ),
        ]

    def __str__(self) -> str:
        return f"decision {self.decision_id} by {self.reviewer}"


class Decree(models.Model):
    """The signed list of a cycle. `statement` is what was signed; its digest is the challenge of the passkey."""

    cycle = models.OneToOneField(Cycle, on_delete=models.PROTECT)
    number = models.CharField(max_length=80, unique=True)
    units = models.BigIntegerField()
    amount = models.BigIntegerField()
    statement = models.TextField()  # canonical JSON
    digest = models.BinaryField(max_length=SHA256_BYTES)
    list_path = models.CharField(max_length=1_000)
    pdf_path = models.CharField(max_length=1_000)
    prepared_at = models.DateTimeField()
    signed_by = models.CharField(max_length=40, blank=True)
    signed_at = models.DateTimeField(null=True, blank=True)
    signature = models.JSONField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(units__gte=0, amount__gte=0), name="decree_not_negative"),
            models.CheckConstraint(
                condition=Q(signed_by="", signed_at__isnull=True, signature__isnull=True)
                | (~Q(signed_by="") & Q(signed_at__isnull=False, signature__isnull=False)),
                name="decree_signed_whole",
            ),
        ]

    def __str__(self) -> str:
        return self.number


class Standing(models.Model):
    """A unit that is stopped or suspended in a programme from a date on, whatever is decided."""

    class Kind(models.TextChoices):
        STOPPED = "stopped"
        SUSPENDED = "suspended"

    programme = models.CharField(max_length=PROGRAMME_LENGTH_MOST)
    unit_id = models.BigIntegerField()
    region = models.CharField(max_length=REGION_LENGTH)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    cause = models.CharField(max_length=20)  # "death", "moved", "own_wish", "investigation", "other"
    since = models.DateField()
    set_by = models.CharField(max_length=40)
    set_at = models.DateTimeField()
    lifted_by = models.CharField(max_length=40, blank=True)
    lifted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["programme", "unit_id"],
                condition=Q(lifted_at__isnull=True),
                name="standing_one_at_a_time",
            ),
            models.CheckConstraint(
                condition=Q(lifted_by="", lifted_at__isnull=True)
                | (~Q(lifted_by="") & Q(lifted_at__isnull=False) & ~Q(lifted_by=F("set_by"))),
                name="standing_lifted_by_another",
            ),
        ]
        indexes = [models.Index(fields=["unit_id", "programme"], name="standing_of_unit")]

    def __str__(self) -> str:
        return f"{self.programme} unit {self.unit_id} {self.kind}"


class ClaimCode(models.Model):
    """How a citizen opens the own decision: a keyed digest of the code of the letter with a birth date.

    `family_id` says whose, `region` where it was issued; the code itself is nowhere.
    """

    index = models.BinaryField(max_length=SHA256_BYTES, unique=True)
    key_version = models.PositiveSmallIntegerField()  # of the keys that made the code and the index
    family_id = models.BigIntegerField()
    region = models.CharField(max_length=REGION_LENGTH)
    issued_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["family_id"], name="claim_code_of_family"),
            models.Index(
                fields=["key_version"], condition=Q(revoked_at__isnull=True), name="claim_code_by_key_version"
            ),
        ]

    def __str__(self) -> str:
        return f"claim of family {self.family_id}"


class ClaimTry(models.Model):
    """One try to open a decision, in the bucket of its code and in that of its source; both are keyed digests.

    Rows live for an hour: they are what is counted.
    """

    bucket = models.BinaryField(max_length=SHA256_BYTES)
    at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["bucket", "at"], name="claim_try_of_bucket"),
            models.Index(fields=["at"], name="claim_try_by_time"),
        ]

    def __str__(self) -> str:
        return f"a try at {self.at}"


class Draft(models.Model):
    """A rulebook that is being written: it began as a version of the programme and may become the next one. That of a
    programme without a version began with a text, and may become the first."""

    programme = models.CharField(max_length=PROGRAMME_LENGTH_MOST)
    base = models.ForeignKey(  # its facts stay those; None: a new programme, with a DraftCatalogue
        RulebookVersion, on_delete=models.PROTECT, null=True, related_name="+"
    )
    begun_by = models.CharField(max_length=40)
    begun_at = models.DateTimeField()
    version = models.ForeignKey(RulebookVersion, on_delete=models.PROTECT, null=True, related_name="drafts")
    ended_by = models.CharField(max_length=40, blank=True)  # handed in as a version, or dropped
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(ended_by="", ended_at__isnull=True, version__isnull=True)
                | (~Q(ended_by="") & Q(ended_at__isnull=False)),
                name="draft_ended_whole",
            ),
        ]

    def __str__(self) -> str:
        return f"draft of {self.programme}"


class DraftCatalogue(models.Model):
    """The fact catalogue of a draft that began without a version. Rows are never changed."""

    draft = models.OneToOneField(Draft, on_delete=models.PROTECT, related_name="catalogue")
    raw = models.BinaryField()
    sha256 = models.CharField(max_length=SHA256_HEX)

    def __str__(self) -> str:
        return self.sha256[:12]


class DraftRevision(models.Model):
    """What somebody saved of a draft, whole. Rows are never changed: the next save is the next number."""

    draft = models.ForeignKey(Draft, on_delete=models.PROTECT, related_name="revisions")
    n = models.PositiveIntegerField()
    raw = models.BinaryField()
    sha256 = models.CharField(max_length=SHA256_HEX)
    saved_by = models.CharField(max_length=40)
    saved_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["draft", "n"], name="draft_revision_once")]

    def __str__(self) -> str:
        return f"revision {self.n}"


class DraftRun(models.Model):
    """A simulation: a revision against a version over a population, or over one in `sample` of its families."""

    class State(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    revision = models.ForeignKey(DraftRevision, on_delete=models.PROTECT, related_name="runs")
    population = models.ForeignKey(Population, on_delete=models.PROTECT)
    against = models.ForeignKey(RulebookVersion, on_delete=models.PROTECT)
    sample = models.PositiveSmallIntegerField()  # 1: everybody
    attempt = models.PositiveIntegerField(
        default=1
    )  # asked for again, it is the next one: the one before stops
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    stage = models.CharField(max_length=40, blank=True)
    done = models.PositiveIntegerField(default=0)  # provinces
    whole = models.PositiveIntegerField(default=0)
    result = models.JSONField(null=True)  # protected for small groups, as core.rules.simulate gives it
    faults = models.JSONField(default=list)  # [template, values]
    asked_by = models.CharField(max_length=40)
    asked_at = models.DateTimeField()
    job = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["revision", "population", "against", "sample"], name="draft_run_once"
            ),
            models.CheckConstraint(
                condition=Q(state="done", result__isnull=False) | (~Q(state="done") & Q(result__isnull=True)),
                name="draft_run_done_with_a_result",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.revision_id} against {self.against_id}"
