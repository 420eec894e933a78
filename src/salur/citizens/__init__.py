"""Pages for a citizen about the own decision."""
