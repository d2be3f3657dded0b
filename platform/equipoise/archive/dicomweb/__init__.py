"""DICOM over HTTP (PS3.18): instances on their way in, archives they are fetched from, stored images as they go out.

Nothing here knows trials, roles or requests; callers hand over streams, folders and rows.
"""
