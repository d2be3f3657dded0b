"""Reports of faults to a Sentry-compatible service, if the site names one; off by default.

What leaves the machine is the kind of error, where in the code it arose, the address's template, the version and the
request's id. No values: neither messages of exceptions nor local variables, bodies, headers, cookies, addresses or
names, since any of them may tell of a person or a trial.
"""

from typing import Any

from equipoise.config.logs import request_id

_KEPT = frozenset({"event_id", "timestamp", "level", "platform", "release", "transaction", "logger", "sdk"})
_KEPT_OF_FRAME = frozenset({"filename", "function", "module", "lineno", "in_app"})


def without_values(event: dict[str, Any], hint: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return what may be sent of an event."""
    kept = {key: value for key, value in event.items() if key in _KEPT}
    if (event.get("transaction_info") or {}).get("source") == "url":
        kept.pop("transaction", None)  # the address as it was typed: it has no template
    values = (event.get("exception") or {}).get("values") or []
    kept["exception"] = {"values": [_exception(value) for value in values]}
    kept["tags"] = {"request_id": request_id.get()} if request_id.get() else {}
    return kept


def _exception(value: dict[str, Any]) -> dict[str, Any]:
    frames = (value.get("stacktrace") or {}).get("frames") or []
    return {
        "type": value.get("type"),
        "module": value.get("module"),
        "stacktrace": {
            "frames": [{key: frame[key] for key in _KEPT_OF_FRAME if key in frame} for frame in frames]
        },
    }


def error_reports_start(dsn: str, *, release: str, **options: Any) -> None:
    """Begin to report faults of this process."""
    import sentry_sdk

    sentry_sdk.init(
        dsn=dsn,
        release=release,
        before_send=without_values,  # type: ignore[arg-type] # the package's own event type is a TypedDict
        before_send_transaction=lambda event, hint: None,
        include_local_variables=False,
        include_source_context=False,
        max_breadcrumbs=0,
        max_request_body_size="never",
        server_name="",
        traces_sample_rate=0.0,
        auto_session_tracking=False,
        **options,
    )
