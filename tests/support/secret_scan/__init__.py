"""An ear over the whole run: no credential of the suite is told by what statebucket says."""
