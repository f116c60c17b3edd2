#!/usr/bin/python3
"""Writes ONNX files that mean harm: hostile_onnx.py MODELS FOLDER. Each answers with a layer "embedding", or never."""

import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])

import numpy

import onnx


def graph(side=32):
    made = onnx.Graph("hostile")
    made.input("image", [1, 3, side, side])
    return made


def write(name, made):
    (pathlib.Path(sys.argv[2]) / (name + ".onnx")).write_bytes(made.serialize(9))


def ones(*shape):
    return numpy.ones(shape, numpy.float32)


def convolve(made, source, name, channels, kernel, out, pads):
    weights = made.constant(name + ".w", ones(out, channels, kernel, kernel))
    return made.node("Conv", [source, weights], name, kernel_shape=[kernel, kernel], strides=[1, 1], pads=[pads] * 4)


# The picture grows to more pixels than any memory holds.
made = graph()
convolve(made, "image", "embedding", 3, 1, 8, 1 << 20)
write("huge", made)

# A tensor that says it has more numbers than the file has bytes.
made = graph()
weights = made.constant("w", ones(1, 3, 1, 1))
made._constants[-1] = made._constants[-1].replace(onnx._int(1, 3), onnx._int(1, 1 << 40), 1)
made.node("Conv", ["image", weights], "embedding", kernel_shape=[1, 1], strides=[1, 1], pads=[0] * 4)
write("liar", made)

# It answers, but not today.
made = graph(512)
at = convolve(made, "image", "first", 3, 1, 64, 0)
weights = made.constant("shared", ones(64, 64, 5, 5) / 1600)
for number in range(60):
    at = made.node("Conv", [at, weights], "slow%d" % number, kernel_shape=[5, 5], strides=[1, 1], pads=[2] * 4)
made.node("GlobalAveragePool", [at], "embedding")
write("slow", made)

# A logarithm of what is below zero.
made = graph()
made.node("Neg", ["image"], "below")
made.node("Log", ["below"], "log")
made.node("GlobalAveragePool", ["log"], "embedding")
write("nan", made)

# More numbers than make an embedding.
made = graph()
convolve(made, "image", "embedding", 3, 1, 64, 0)
write("long", made)

# A node that is its own input, and one whose input is nowhere.
made = graph()
made.node("Relu", ["embedding"], "embedding")
write("circle", made)
made = graph()
made.node("Relu", ["nowhere"], "embedding")
write("nowhere", made)
