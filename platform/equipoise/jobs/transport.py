"""The embedded broker: kombu's file system transport with whole messages and a claim folder on the same disk.

kombu writes a message in place, so that a reader may meet half of it, and lets the worker die of a file it cannot
parse. Here a message appears by rename, is claimed by rename, and one that cannot be read is dropped with a line in
the log: it was a doorbell, and the sweeper rings again.
"""

import itertools
import json
import logging
import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.transport import filesystem, virtual

logger = logging.getLogger("equipoise.jobs.transport")

_PART = ".part"
_STALE_S = 3600.0
"""A part or claimed file this old belongs to a process that is gone."""


class Channel(filesystem.Channel):
    """Messages are files that are whole from the moment they have their name."""

    _sequence = itertools.count()

    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:  # type: ignore[override] # kombu disagrees itself
        """Write a message beside its place, then rename it there."""
        # Wall time, zero-padded: the order of names survives a restart of the machine, unlike a monotonic clock.
        name = f"{time.time_ns():020d}-{next(self._sequence):06d}-{uuid.uuid4().hex}.{queue}.msg"
        _write_whole(Path(self.data_folder_out) / name, json.dumps(payload))

    def _get(self, queue: str, timeout: Any = None) -> Any:
        """Claim the oldest whole message of a queue, skipping what cannot be read."""
        suffix = f"{queue}.msg"
        for name in sorted(os.listdir(self.data_folder_in)):
            if name.partition(".")[2] != suffix:
                continue
            claimed = Path(self.processed_folder) / name
            try:
                os.rename(Path(self.data_folder_in) / name, claimed)
            except FileNotFoundError:
                continue  # another worker has it
            try:
                return self._read_claimed(claimed)
            except ValueError:
                logger.warning("A message that could not be read was dropped.", extra={"queue": queue})
        raise Empty

    def _read_claimed(self, claimed: Path) -> Any:
        try:
            message = json.loads(claimed.read_text(encoding="utf-8"))
        finally:
            claimed.unlink(missing_ok=True)
        if not isinstance(message, dict) or "properties" not in message or "body" not in message:
            raise ValueError("not a message")
        return message

    def get_table(self, exchange: str) -> list[Any]:
        """Return the queues bound to an exchange."""
        return [filesystem.exchange_queue_t(*row) for row in self._read_table(self._exchange_file(exchange))]

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        row = [routing_key or "", pattern or "", queue or ""]
        self._edit_table(exchange, lambda rows: rows if row in rows else [row, *rows])

    def _delete(
        self, queue: str, exchange: str, routing_key: str, pattern: str, *args: Any, **kwargs: Any
    ) -> None:
        virtual.Channel._delete(self, queue, exchange, routing_key, pattern, *args, **kwargs)
        gone = [routing_key or "", pattern or "", queue or ""]
        self._edit_table(exchange, lambda rows: [row for row in rows if row != gone])

    def _edit_table(self, exchange: str, edit: Callable[[list[list[str]]], list[list[str]]]) -> None:
        """Read, change and replace an exchange's table under one lock; readers see the old or the new, whole."""
        file = self._exchange_file(exchange)
        file.parent.mkdir(parents=True, exist_ok=True)
        with (file.parent / ".lock").open("a") as lock_file:
            filesystem.lock(lock_file, filesystem.LOCK_EX)
            rows = self._read_table(file)
            changed = edit(rows)
            if changed != rows:
                _write_whole(file, json.dumps(changed))

    @staticmethod
    def _read_table(file: Path) -> list[list[str]]:
        try:
            rows = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return []
        except ValueError:
            logger.warning(
                "A table of bindings could not be read; it is made anew.", extra={"file": file.name}
            )
            return []
        return [list(row) for row in rows]


class Transport(filesystem.Transport):
    """The embedded broker."""

    Channel = Channel
    driver_type = "eqfs"
    driver_name = "eqfs"

    def __init__(self, client: Any, **kwargs: Any) -> None:
        super().__init__(client, **kwargs)
        # kombu remembers bindings per process; ours are per connection, so that a table that was lost is made anew.
        self.state = virtual.BrokerState()
        _sweep_stale(client.transport_options)


def _write_whole(path: Path, text: str) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}{_PART}")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)


def _sweep_stale(options: dict[str, Any]) -> None:
    """Remove what a killed process left half-written or claimed an hour ago."""
    limit = time.time() - _STALE_S
    for folder, suffix in ((options.get("data_folder_in"), _PART), (options.get("processed_folder"), ".msg")):
        for path in Path(folder).glob(f"*{suffix}") if folder else ():
            try:
                if path.stat().st_mtime < limit:
                    path.unlink()
            except FileNotFoundError:
                continue
