"""A proxy between an SDK and its server that records each request and injects faults.

Start with `support.fault_proxy.proxy`, which offers all the names that tests need.
"""
