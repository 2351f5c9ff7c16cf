"""A long mixed load with faults: nothing lost, nothing mixed between tenants, nothing growing."""
