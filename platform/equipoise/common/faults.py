"""Faults of the machine that pass by themselves or by a person's hand."""

import errno


def is_disk_full(exception: BaseException) -> bool:
    """Say whether an exception means that there is no room to write in, on the disk or within a quota."""
    return isinstance(exception, OSError) and exception.errno in (errno.ENOSPC, errno.EDQUOT)
