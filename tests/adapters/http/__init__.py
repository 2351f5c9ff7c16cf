"""Tests of the HTTP client that knows no service."""
