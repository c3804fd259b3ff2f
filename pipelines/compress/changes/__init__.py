"""A source compared with what the archive holds of it: what is new, what is gone."""
