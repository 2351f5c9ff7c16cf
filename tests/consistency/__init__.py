"""Histories of concurrent calls on one object, and whether some order of the calls explains them.

`consistency.checker` judges a history, `consistency.workers` records one.
"""
