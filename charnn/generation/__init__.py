"""Weights, tokenizer and prompt to text."""
