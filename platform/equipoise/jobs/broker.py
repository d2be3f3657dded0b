"""How Celery reaches its broker: ours on the file system (embedded), or RabbitMQ or Redis."""

from pathlib import Path
from typing import Any

from kombu.transport import TRANSPORT_ALIASES

TRANSPORT_ALIASES["eqfs"] = "equipoise.jobs.transport:Transport"

POLLING_INTERVAL_S = 0.25


def broker_options(url: str, folder: Path) -> dict[str, Any]:
    """Return Celery's settings for a broker address; ``filesystem:`` means folders below ``folder``."""
    if not url.startswith("filesystem:"):
        return {"broker_url": url, "task_acks_late": False}
    messages, claimed, control = folder / "messages", folder / "claimed", folder / "control"
    for path in (messages, claimed, control):
        path.mkdir(parents=True, exist_ok=True)
    return {
        "broker_url": "eqfs://localhost",
        # Without an event loop a second message would block the worker's ear to `revoke` until a process is free:
        # acknowledged late, one message is all it takes. On RabbitMQ late acknowledgement would end the connection
        # of an item that takes half an hour. Neither decides what is done: the item's claim does.
        "task_acks_late": True,
        "broker_transport_options": {
            "data_folder_in": str(messages),
            "data_folder_out": str(messages),
            "processed_folder": str(claimed),
            "control_folder": str(control),
            "polling_interval": POLLING_INTERVAL_S,
        },
    }
