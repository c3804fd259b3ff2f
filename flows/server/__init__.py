"""One archive over HTTP: IIIF, JSON, and the processes that decode for them."""
