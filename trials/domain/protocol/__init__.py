"""The protocol document: its model (one module per schema version), its YAML view, its canonical bytes and hash."""
