#!/usr/bin/env python3
"""A checkout: tells gleaner-edge of each product that was paid for and does not match what was put in.

usage: checkout.py [SOCKET]     an event a line of standard input, such as: checkout-mismatch
"""
import socket
import sys
import time


class Sensor:
    """What gleaner_sensor.h does, in Python: never waits, counts what it had to drop."""

    def __init__(self, path="/run/gleaner-edge/sensors.sock"):
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.lost = 0

    def send(self, name, *numbers):
        words = [name, *(f"{number:.9g}" for number in numbers), f"@{time.monotonic_ns()}"]
        if self.lost:
            words.append(f"!{self.lost}")
        try:
            self._socket.sendto(" ".join(words).encode(), self._path)
            self.lost = 0
        except OSError:
            self.lost += 1


if __name__ == "__main__":
    sensor = Sensor(*sys.argv[1:2])
    for line in sys.stdin:
        sensor.send(line.strip())
