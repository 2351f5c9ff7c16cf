"""A scanner over the whole run: nothing that statebucket writes or prints holds a credential."""
