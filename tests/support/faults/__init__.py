"""A proxy between an SDK and its server that records each request and breaks what it is told to.

Start with `support.faults.proxy`, which offers all the names that tests need.
"""
