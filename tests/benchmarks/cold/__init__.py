"""How long a cold-started function waits for its first load."""
