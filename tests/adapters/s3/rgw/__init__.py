"""Ceph's RADOS Gateway, run by ``make test-rgw``: root must install it."""
