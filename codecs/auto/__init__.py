"""One codec for a collection, the best of several for each of its pictures."""
