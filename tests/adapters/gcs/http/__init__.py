"""Tests of the lean engine on Cloud Storage."""
