"""The main job on real input: ``python -m statebucket.demo``.

Two tenants each run a job of several steps over text files. A worker process is killed in the
middle of one; another goes on from the snapshot, and the result is checked against that of a run
without interruption.
"""
