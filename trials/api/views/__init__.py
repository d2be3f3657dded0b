"""Endpoints: each declares its permission, calls one service or selector, and serializes."""
