"""Writes an ONNX graph, byte for byte the same each time.

ONNX is a protocol buffer (https://onnx.ai/onnx/repo-docs/IR.html); the numbers of the fields are those of onnx.proto. Only
what graphs of this folder need is here.
"""

import numpy

FLOAT, INT64 = 1, 7
_ATTRIBUTE_FLOAT, _ATTRIBUTE_INT, _ATTRIBUTE_INTS = 1, 2, 7


def _varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _int(field, number):
    return _varint(field << 3) + _varint(number & (1 << 64) - 1)


def _bytes(field, data):
    data = data.encode() if isinstance(data, str) else data
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _float(field, number):
    return _varint(field << 3 | 5) + numpy.float32(number).tobytes()


def _attribute(name, value):
    out = _bytes(1, name)
    if isinstance(value, float):
        return out + _float(2, value) + _int(20, _ATTRIBUTE_FLOAT)
    if isinstance(value, int):
        return out + _int(3, value) + _int(20, _ATTRIBUTE_INT)
    return out + b"".join(_int(8, one) for one in value) + _int(20, _ATTRIBUTE_INTS)


def _value(name, shape):
    dimensions = b"".join(_bytes(1, _int(1, size)) for size in shape)
    tensor = _int(1, FLOAT) + _bytes(2, dimensions)
    return _bytes(1, name) + _bytes(2, _bytes(1, tensor))


class Graph:
    def __init__(self, name):
        self._name = name
        self._nodes, self._constants, self._inputs, self._outputs = [], [], [], []

    def input(self, name, shape):
        self._inputs.append(_value(name, shape))
        return name

    def output(self, name, shape):
        self._outputs.append(_value(name, shape))

    def constant(self, name, values):
        kind = INT64 if values.dtype == numpy.int64 else FLOAT
        raw = numpy.ascontiguousarray(values)
        shape = b"".join(_int(1, size) for size in values.shape)
        self._constants.append(shape + _int(2, kind) + _bytes(8, name) + _bytes(9, raw.tobytes()))
        return name

    def node(self, operation, inputs, name, **attributes):
        """Adds an operation; its one output has its name, which is returned."""
        out = b"".join(_bytes(1, one) for one in inputs) + _bytes(2, name) + _bytes(3, name)
        out += _bytes(4, operation)
        out += b"".join(_bytes(5, _attribute(*one)) for one in sorted(attributes.items()))
        self._nodes.append(out)
        return name

    def serialize(self, opset):
        graph = b"".join(_bytes(1, one) for one in self._nodes) + _bytes(2, self._name)
        graph += b"".join(_bytes(5, one) for one in self._constants)
        graph += b"".join(_bytes(11, one) for one in self._inputs)
        graph += b"".join(_bytes(12, one) for one in self._outputs)
        return _int(1, 4) + _bytes(2, "gleaner") + _bytes(7, graph) + _bytes(8, _int(2, opset))
