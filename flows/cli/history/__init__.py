"""The commands about an archive's snapshots."""
