"""A source into the archive: plan, encode, verify, rows."""
