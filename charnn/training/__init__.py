"""Batches and model to records and a run folder."""
