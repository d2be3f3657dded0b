"""Training the networks, small but real: cases, published recipe, checkpoints that resume bit for bit, curves.

Only ``loop``, ``segmentation`` and ``classification`` import torch; cases and their files need numpy alone.
"""
