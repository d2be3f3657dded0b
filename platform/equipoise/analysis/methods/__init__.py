"""The analyses, one per file, each with a ``METHOD`` that :mod:`equipoise.analysis.registry` names."""
