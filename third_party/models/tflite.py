"""Reads a TensorFlow Lite graph: tensors, operations, their options.

The format is a FlatBuffer (https://flatbuffers.dev/internals): a table begins with the distance to its vtable, which says
where each field is. The numbers of the fields are those of tensorflow/lite/schema/schema.fbs.
"""

import struct

import numpy

FLOAT32, FLOAT16, INT32 = 0, 1, 2
TYPES = {FLOAT32: numpy.float32, FLOAT16: numpy.float16, INT32: numpy.int32}


class Table:
    """A table of a FlatBuffer; fields by number."""

    def __init__(self, data, at):
        self._data = data
        self._at = at

    def _number(self, form, at):
        return struct.unpack_from("<" + form, self._data, at)[0]

    def _field(self, number):
        """Where a field is, or None where it isn't there."""
        vtable = self._at - self._number("i", self._at)
        entry = 4 + 2 * number
        if entry >= self._number("H", vtable):
            return None
        offset = self._number("H", vtable + entry)
        return self._at + offset if offset else None

    def number(self, field, form, default=0):
        at = self._field(field)
        return default if at is None else self._number(form, at)

    def table(self, field):
        at = self._field(field)
        return None if at is None else Table(self._data, at + self._number("I", at))

    def _vector(self, field):
        """Where the elements of a vector begin, and how many there are."""
        at = self._field(field)
        if at is None:
            return 0, 0
        vector = at + self._number("I", at)
        return vector + 4, self._number("I", vector)

    def tables(self, field):
        start, count = self._vector(field)
        places = range(start, start + 4 * count, 4)
        return [Table(self._data, at + self._number("I", at)) for at in places]

    def numbers(self, field):
        start, count = self._vector(field)
        return list(struct.unpack_from("<%di" % count, self._data, start))

    def bytes(self, field):
        start, count = self._vector(field)
        return self._data[start : start + count]


class Tensor:
    def __init__(self, table, buffers):
        self.shape = table.numbers(0)
        self.type = table.number(1, "B")
        self._bytes = buffers[table.number(2, "I")].bytes(0)

    def values(self):
        """Of a constant; None for what is computed."""
        if not self._bytes:
            return None
        return numpy.frombuffer(self._bytes, TYPES[self.type]).reshape(self.shape)


class Operation:
    def __init__(self, table, codes):
        self.code = codes[table.number(0, "I")]
        self.inputs = table.numbers(1)
        self.outputs = table.numbers(2)
        self.options = table.table(4)


class Graph:
    def __init__(self, data):
        model = Table(data, struct.unpack_from("<I", data, 0)[0])
        # The newer field holds what doesn't fit into the older one's byte.
        codes = [max(code.number(0, "b"), code.number(3, "i")) for code in model.tables(1)]
        buffers = model.tables(4)
        graph = model.tables(2)[0]
        self.tensors = [Tensor(table, buffers) for table in graph.tables(0)]
        self.inputs = graph.numbers(1)
        self.outputs = graph.numbers(2)
        self.operations = [Operation(table, codes) for table in graph.tables(3)]
