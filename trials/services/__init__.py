"""Writes. Each service is one act on a trial: check, write, record the audit entry last, all in one transaction."""
