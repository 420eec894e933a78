"""Persons and families: protected identifiers, membership, corrections."""
