"""The few addresses that belong to the site as a whole rather than to a domain."""
