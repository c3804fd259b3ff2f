"""The bitstream container, and what tiled codecs put into it."""
