"""Histories of concurrent calls on one object, and whether some order of the calls explains them.

`histories.checker` judges a history, `histories.workers` records one.
"""
