"""Simulated readers, one module per task: a pure model's answer becomes what a browser would send."""
