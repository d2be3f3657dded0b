"""One volume with one contour: how acceptable it is, and whether it is accepted, edited or rejected."""
