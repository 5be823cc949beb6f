"""Reads a topic as a member of a group with confluent-kafka, and commits."""

import sys
import time

from confluent_kafka import Consumer

bootstrap, topic, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
consumer = Consumer({
    "bootstrap.servers": bootstrap,
    "group.id": "confluent",
    "auto.offset.reset": "earliest",
    "enable.auto.commit": False,
})
consumer.subscribe([topic])
seen = set()
deadline = time.monotonic() + 60
while len(seen) < count and time.monotonic() < deadline:
    message = consumer.poll(1.0)
    if message is None:
        continue
    if message.error():
        sys.exit(f"consumer: {message.error()}")
    seen.add(message.value().decode())
consumer.commit(asynchronous=False)
consumer.close()
print(len(seen))
