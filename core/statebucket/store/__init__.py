"""Private: the one implementation of the contract, over the port."""
