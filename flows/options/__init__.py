"""Options that several commands and flows share."""
