"""How long a function that is started cold waits for its first load."""
