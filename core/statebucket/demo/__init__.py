"""The main use on real input: ``python -m statebucket.demo``.

Two tenants each run a job of several steps over text files. A worker process is killed in the
middle of one; another continues from the snapshot, and the result is compared with that of a run
without interruption.
"""
