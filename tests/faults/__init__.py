"""The faults that a store must survive, made to happen between each cloud's SDK and a server.

`generators.promises` says which test shows which of the twenty-five cases.
"""
