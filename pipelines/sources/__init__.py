"""What a source holds: folders, globs, zip and tar files, lists."""
