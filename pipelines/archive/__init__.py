"""The archive: its format, and writing, reading, delivering and looking after it."""
