"""A scanner over the whole run: nothing that statebucket writes or prints may have a credential."""
