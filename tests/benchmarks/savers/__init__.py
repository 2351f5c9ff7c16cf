"""A comparison of LangGraph's checkpoint savers: `make bench-langgraph`."""
