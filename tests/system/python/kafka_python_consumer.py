"""Reads a topic as a member of a group with kafka-python, and commits."""

import sys

from kafka import KafkaConsumer

bootstrap, topic, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
consumer = KafkaConsumer(
    topic,
    bootstrap_servers=bootstrap.split(","),
    group_id="kafka-python",
    auto_offset_reset="earliest",
    enable_auto_commit=False,
    consumer_timeout_ms=60000,
)
seen = set()
for message in consumer:
    seen.add(message.value.decode())
    if len(seen) == count:
        break
consumer.commit()
consumer.close()
print(len(seen))
