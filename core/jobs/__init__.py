"""Eight jobs that a store is used for, in under fifteen lines each; not a part of the package."""
