"""What the tests of populations agree on."""

from datetime import date
from pathlib import Path

FACTS = Path(__file__).parents[3] / "src/salur/rulebooks/facts.toml"
TODAY = date(2026, 9, 30)  # the reference date of every population here
