"""A small client for programs: results in, tables out. It stands alone and needs httpx only.

from equipoise.client import Client, MaskFile, Model, Result
"""

from equipoise.client.client import Client
from equipoise.client.connection import RetryPolicy
from equipoise.client.errors import ApiError, ClientError, JobNotFinishedError, UnreachableError
from equipoise.client.results import (
    Failure,
    HeatMap,
    ItemReport,
    MaskFile,
    Model,
    Polygons,
    Result,
    RunTime,
    SendReport,
)
from equipoise.client.shapes import Case, Job, Session, Trial

__all__ = [
    "ApiError",
    "Case",
    "Client",
    "ClientError",
    "Failure",
    "HeatMap",
    "ItemReport",
    "Job",
    "JobNotFinishedError",
    "MaskFile",
    "Model",
    "Polygons",
    "Result",
    "RetryPolicy",
    "RunTime",
    "SendReport",
    "Session",
    "Trial",
    "UnreachableError",
]
