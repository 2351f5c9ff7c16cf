"""Ceph's RADOS Gateway, run by ``make test-rgw``: it has to be installed by root."""
