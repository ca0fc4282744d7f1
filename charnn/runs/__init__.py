"""The run folder: its layout, manifest, atomic save, checked load and lock."""
