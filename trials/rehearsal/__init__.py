"""Simulated material and simulated participants, sent through the same services as real ones."""
