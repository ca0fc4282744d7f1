"""Text to tokens to batches, and nats back to bits. Knows nothing of models."""
