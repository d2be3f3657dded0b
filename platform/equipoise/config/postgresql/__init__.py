"""Django's PostgreSQL with an end to every wait: the engine that ``equipoise.config.env`` names."""
