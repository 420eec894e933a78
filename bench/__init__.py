"""Benchmarks: CPU seconds and memory of whole processes, as ratios in one run. Never a timed test."""
