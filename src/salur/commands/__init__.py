"""The `salur` command line: one group per room, errors as sentences.

Exit codes: 0 done, 1 failure, 2 bad usage, 3 bad input.
"""

from salur.commands.root import app, main

__all__ = ["app", "main"]
