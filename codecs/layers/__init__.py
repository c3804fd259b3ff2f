"""What the networks of several codecs share."""
