"""The trials' part of the interface under ``/api/v1``: validate, call a service or selector, serialize."""
