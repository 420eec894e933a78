"""Salur delivers social assistance."""
