"""What a monitoring system may know: requests by route, jobs by queue, room on the disk. No person, trial, case or arm.

Counts of requests are kept by each process. Where several web processes serve one address, the supervisor names a
folder (``PROMETHEUS_MULTIPROC_DIR``) in which they add up.
"""

import os
import shutil
from collections.abc import Iterator
from importlib.metadata import version

from django.conf import settings
from django.db.models import Count, Min
from django.utils import timezone
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector

from equipoise.jobs.models import JobItem, JobItemState, Lease
from equipoise.jobs.tick import LEASE_NAME

MULTIPROCESS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""prometheus_client's own variable; it must be set before that package is loaded."""
_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_registry = CollectorRegistry()
REQUESTS = Counter(
    "equipoise_http_requests", "Requests answered.", ["method", "route", "status"], registry=_registry
)
SECONDS = Histogram(
    "equipoise_http_request_seconds",
    "Time from a request to its answer.",
    ["method", "route"],
    buckets=_BUCKETS_S,
    registry=_registry,
)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})


def request_count(*, method: str | None, route: str, status: int, seconds: float) -> None:
    """Count one answered request; what is no method of ours is one label, however many a stranger makes up."""
    known = method if method in _METHODS else "other"
    REQUESTS.labels(known, route, str(status)).inc()
    SECONDS.labels(known, route).observe(seconds)


class _SiteCollector:
    """What the database and the disk say when asked."""

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges."""
        yield self._build()
        yield from self._jobs()
        yield self._tick()
        yield self._disk()

    @staticmethod
    def _build() -> Metric:
        metric = GaugeMetricFamily("equipoise_build_info", "The version that runs.", labels=["version"])
        metric.add_metric([version("equipoise")], 1)
        return metric

    @staticmethod
    def _jobs() -> Iterator[Metric]:
        items = GaugeMetricFamily(
            "equipoise_job_items", "Items of jobs that wait or run.", labels=["queue", "state"]
        )
        oldest = GaugeMetricFamily(
            "equipoise_job_oldest_seconds", "Age of the oldest job with waiting items.", labels=["queue"]
        )
        active = (JobItemState.QUEUED, JobItemState.RUNNING)
        counted = (
            JobItem.objects.filter(state__in=active)
            .order_by()
            .values_list("job__queue", "state")
            .annotate(Count("id"), Min("job__created_at"))
        )
        now = timezone.now()
        for queue, state, count, created in counted:
            items.add_metric([queue, state], count)
            if state == JobItemState.QUEUED:
                oldest.add_metric([queue], max(0.0, (now - created).total_seconds()))
        yield items
        yield oldest

    @staticmethod
    def _tick() -> Metric:
        metric = GaugeMetricFamily(
            "equipoise_worker_tick_age_seconds",
            "Since a worker last did the periodic work; absent before the first.",
        )
        until = Lease.objects.filter(name=LEASE_NAME).values_list("until", flat=True).first()
        if until is not None:
            taken_for_s = 2 * settings.JOB_TICK_S
            metric.add_metric([], max(0.0, (timezone.now() - until).total_seconds() + taken_for_s))
        return metric

    @staticmethod
    def _disk() -> Metric:
        metric = GaugeMetricFamily("equipoise_data_free_bytes", "Room on the disk of the data folder.")
        metric.add_metric([], shutil.disk_usage(settings.DATA_DIR).free)
        return metric


def process_text() -> bytes:
    """Return this process's counts, or those of all processes of its folder, in Prometheus's text form."""
    if not os.environ.get(MULTIPROCESS_FOLDER):
        return generate_latest(_registry)
    added = CollectorRegistry()
    MultiProcessCollector(added)  # type: ignore[no-untyped-call] # of a package without annotations here
    return generate_latest(added)


def site_text() -> bytes:
    """Return the gauges of the site as a whole."""
    registry = CollectorRegistry()
    registry.register(_SiteCollector())
    return generate_latest(registry)
