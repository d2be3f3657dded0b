"""Blinded preference: two outlines on one image, one question."""
