"""Reads, each with the right it needs. What is absent and what is not the caller's are answered alike."""
