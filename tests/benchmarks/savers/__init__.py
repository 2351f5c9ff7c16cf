"""LangGraph's checkpoint savers beside each other: `make bench-langgraph`."""
