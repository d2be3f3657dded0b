"""Kinds of figures, one per file, each with ``draw(figure, canvas)``. Imported only when something is drawn."""
