"""The only code that writes versions, drafts, ceilings, cycles, decisions, reviews and decrees.

The order of a cycle: open → decide → review (→ correct → decide that unit again) → decree → close. Who opens may not
review or sign, who reviews may not sign: the table of duties and its triggers refuse it, whatever this code does.
"""

from salur.programmes.services.cycles import (
    cycle_cancel,
    cycle_close,
    cycle_decide,
    cycle_open,
    population_add,
)
from salur.programmes.services.drafts import (
    SavedMeanwhile,
    draft_begin,
    draft_begin_new,
    draft_drop,
    draft_run,
    draft_run_ask,
    draft_run_cancel,
    draft_save,
    draft_submit,
)
from salur.programmes.services.letters import (
    Claim,
    claim_codes_issue,
    claim_codes_revoke,
    claim_codes_revoke_all,
    claim_letters_write,
    claim_open,
)
from salur.programmes.services.reviews import decide_again, review_find, review_judge
from salur.programmes.services.rulebooks import ceiling_set, rulebook_add, rulebook_approve
from salur.programmes.services.shared import REASON_LENGTH_LEAST
from salur.programmes.services.signing import decree_files_clear, decree_prepare, decree_sign
from salur.programmes.services.standings import STANDING_CAUSES, standing_lift, standing_set

__all__ = [
    "REASON_LENGTH_LEAST",
    "STANDING_CAUSES",
    "Claim",
    "SavedMeanwhile",
    "ceiling_set",
    "claim_codes_issue",
    "claim_codes_revoke",
    "claim_codes_revoke_all",
    "claim_letters_write",
    "claim_open",
    "cycle_cancel",
    "cycle_close",
    "cycle_decide",
    "cycle_open",
    "decide_again",
    "decree_files_clear",
    "decree_prepare",
    "decree_sign",
    "draft_begin",
    "draft_begin_new",
    "draft_drop",
    "draft_run",
    "draft_run_ask",
    "draft_run_cancel",
    "draft_save",
    "draft_submit",
    "population_add",
    "review_find",
    "review_judge",
    "rulebook_add",
    "rulebook_approve",
    "standing_lift",
    "standing_set",
]
