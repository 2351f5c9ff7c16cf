"""No one reaches another tenant's state: by ids, stored bytes or a server's replies."""
