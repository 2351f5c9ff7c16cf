"""What happens to a store in a function: frozen, killed, started cold, invoked twice."""
