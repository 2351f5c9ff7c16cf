"""One command on the parts of a store: in one process, in several, or on many machines."""
