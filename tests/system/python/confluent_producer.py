"""Sends numbered messages with confluent-kafka, as its tutorials do."""

import sys

from confluent_kafka import Producer

bootstrap, topic, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
failed = []


def delivered(error, message):
    if error is not None:
        failed.append(error)


producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True})
for number in range(count):
    producer.produce(topic, key=str(number), value=f"message {number}", callback=delivered)
    producer.poll(0)
producer.flush(30)
if failed:
    sys.exit(f"not delivered: {failed[0]}")
print(count)
