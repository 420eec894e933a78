"""Work that waits: one table with an owner and a clock."""
