"""What characters are: Hangul, encodings, files. Pure: no torch, no tokens."""
