"""Sends numbered messages with kafka-python, as its documentation does."""

import sys

from kafka import KafkaProducer

bootstrap, topic, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
producer = KafkaProducer(bootstrap_servers=bootstrap.split(","), acks="all")
sent = [producer.send(topic, key=str(number).encode(), value=f"message {number}".encode()) for number in range(count)]
for future in sent:
    future.get(timeout=30)
producer.close()
print(count)
