"""Nobody reaches what is another's: by ids, by stored bytes, by what a server answers."""
