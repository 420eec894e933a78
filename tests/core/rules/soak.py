"""How many examples the property tests try: few and always the same ones, or many and new (a soak).

`HYPOTHESIS_EXAMPLES=5000 pytest tests/core/rules` soaks. (Tests clear variables that begin with SALUR_.)
"""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck

SOAKING = "HYPOTHESIS_EXAMPLES" in os.environ
PROFILE: dict[str, Any] = {
    "derandomize": not SOAKING,
    "database": None,
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
}


def examples(usual: int) -> int:
    return int(os.environ.get("HYPOTHESIS_EXAMPLES", usual))
