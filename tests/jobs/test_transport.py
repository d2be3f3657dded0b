"""The embedded broker: whole messages, each to one reader, in order, whatever lies in the folder."""

import json
import multiprocessing
import os
import time
from pathlib import Path

import pytest
from kombu.connection import Connection

from equipoise.jobs.broker import broker_options


def connect(folder: Path) -> Connection:
    options = broker_options("filesystem://", folder)
    return Connection(options["broker_url"], transport_options=options["broker_transport_options"])


def drain(queue):
    messages = []
    while (message := queue.get(block=False) if queue.qsize() else None) is not None:
        messages.append(message.payload)
        message.ack()
    return messages


def produce(folder: Path, name: str, count: int) -> None:
    with connect(folder) as connection, connection.SimpleQueue("bell") as queue:
        for number in range(count):
            queue.put({"from": name, "number": number, "padding": "x" * 20_000})


def consume(folder: Path, results, finished) -> None:
    with connect(folder) as connection, connection.SimpleQueue("bell") as queue:
        while not finished.is_set():
            try:
                message = queue.get(block=False)
            except queue.Empty:
                time.sleep(0.005)
                continue
            results.put((message.payload["from"], message.payload["number"]))
            message.ack()


def test_messages_arrive_in_the_order_they_were_sent(tmp_path):
    with connect(tmp_path) as connection, connection.SimpleQueue("bell") as queue:
        for number in range(50):
            queue.put(number)
        assert drain(queue) == list(range(50))
    assert list((tmp_path / "messages").iterdir()) == []
    assert list((tmp_path / "claimed").iterdir()) == []


def test_queues_are_apart(tmp_path):
    with connect(tmp_path) as connection:
        one, other = connection.SimpleQueue("one"), connection.SimpleQueue("other")
        one.put(1)
        other.put(2)
        assert (drain(one), drain(other)) == ([1], [2])


def test_two_producers_and_two_consumers_lose_and_double_nothing(tmp_path):
    # 20 kB messages in a tight loop: kombu's own transport lost one in a hundred.
    context = multiprocessing.get_context("spawn")
    results, finished = context.Queue(), context.Event()
    count = 150
    producers = [context.Process(target=produce, args=(tmp_path, f"p{n}", count)) for n in range(2)]
    consumers = [context.Process(target=consume, args=(tmp_path, results, finished)) for n in range(2)]
    for process in [*consumers, *producers]:
        process.start()
    received = sorted(results.get(timeout=60) for _ in range(2 * count))
    finished.set()
    for process in [*producers, *consumers]:
        process.join(timeout=30)
        process.kill()
    assert received == sorted((f"p{n}", number) for n in range(2) for number in range(count))


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"', "{}", "\x00\x01"])
def test_unreadable_message_is_dropped_and_the_next_is_read(tmp_path, text, caplog):
    with connect(tmp_path) as connection, connection.SimpleQueue("bell") as queue:
        (tmp_path / "messages" / "0-broken.bell.msg").write_text(text)
        queue.put("good")
        assert queue.get(block=False).payload == "good"
    assert "could not be read" in caplog.text


def test_broken_table_of_bindings_is_made_anew(tmp_path):
    with connect(tmp_path) as connection, connection.SimpleQueue("bell") as queue:
        queue.put(1)
        drain(queue)
    (tmp_path / "control" / "bell.exchange").write_text('[["", ')
    with connect(tmp_path) as connection, connection.SimpleQueue("bell") as queue:
        queue.put(2)
        assert drain(queue) == [2]
    assert len(json.loads((tmp_path / "control" / "bell.exchange").read_text())) == 1


def test_leavings_of_a_killed_process_are_swept_after_an_hour(tmp_path):
    connect(tmp_path)
    old, young = tmp_path / "messages" / "old.part", tmp_path / "messages" / "young.part"
    claimed = tmp_path / "claimed" / "old.bell.msg"
    for path in (old, young, claimed):
        path.write_text("{")
    for path in (old, claimed):
        os.utime(path, (time.time() - 4000, time.time() - 4000))
    with connect(tmp_path) as connection:
        connection.connect()
        assert connection.transport is not None
    assert (old.exists(), young.exists(), claimed.exists()) == (False, True, False)
