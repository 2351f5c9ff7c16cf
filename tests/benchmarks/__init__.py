"""Benchmarks: each prints its table; none is a test."""
