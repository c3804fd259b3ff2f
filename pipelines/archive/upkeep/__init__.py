"""Archives kept small and sound: compaction, retention, verification."""
