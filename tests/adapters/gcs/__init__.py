"""Tests of the Cloud Storage adapter."""
