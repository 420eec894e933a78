"""The cycle of a programme: open, decide, review, decree."""
