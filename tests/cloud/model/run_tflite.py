#!/usr/bin/python3
"""Runs Objectron's original graph with numpy alone and writes what it answers.

    run_tflite.py MODELS PICTURE.rgb OUT.f32     MODELS: third_party/models; the picture: 300 x 300 x 3 bytes

Written are boxes (1917 x 4), scores (1917 x 23) and the embedding (1280), one behind the other.
"""

import pathlib
import sys

sys.dont_write_bytecode = True
MODELS = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(MODELS))

import numpy

import objectron
import tflite


def padded(picture, kernel, stride):
    side = -(-picture.shape[0] // stride)
    padding = max((side - 1) * stride + kernel - picture.shape[0], 0)
    edges = (padding // 2, padding - padding // 2)
    return numpy.pad(picture, (edges, edges, (0, 0))), side


def convolve(picture, weights, bias, stride, deep):
    kernel = weights.shape[1]
    picture, side = padded(picture, kernel, stride)
    total = bias
    for y in range(kernel):
        for x in range(kernel):
            part = picture[y : y + (side - 1) * stride + 1 : stride, x : x + (side - 1) * stride + 1 : stride]
            total = total + (part * weights[0, y, x] if deep else part @ weights[:, y, x, :].T)
    return total


def run(graph, picture):
    known = {graph.inputs[0]: picture}
    embedding = None
    get = lambda tensor: known[tensor] if tensor in known else graph.tensors[tensor].values()
    for operation in graph.operations:
        inputs, output = [get(one) for one in operation.inputs], operation.outputs[0]
        if operation.code == objectron.DEQUANTIZE:
            made = inputs[0].astype(numpy.float32)
        elif operation.code in (objectron.CONV, objectron.DEPTHWISE_CONV):
            deep = operation.code == objectron.DEPTHWISE_CONV
            weights, bias = inputs[1].astype(numpy.float32), inputs[2].astype(numpy.float32)
            made = convolve(inputs[0], weights, bias, operation.options.number(1, "i", 1), deep)
            if operation.options.number(4 if deep else 3, "B") == objectron.RELU6:
                made = numpy.clip(made, 0, 6)
            if made.shape[-1] == objectron.EMBEDDING:
                embedding = made.mean((0, 1))
        elif operation.code == objectron.ADD:
            made = inputs[0] + inputs[1]
        elif operation.code == objectron.RESHAPE:
            made = inputs[0].reshape([1] + graph.tensors[output].shape[1:])
        else:
            made = numpy.concatenate(inputs, axis=1)
        known[output] = made
    boxes, scores = (known[one] for one in graph.outputs)
    return boxes.reshape(-1, 4), scores.reshape(-1, 24), embedding


def main():
    assets = (MODELS / "node_modules" / objectron.ASSETS).read_bytes()
    picture = numpy.fromfile(sys.argv[2], numpy.uint8).reshape(300, 300, 3)
    raw, scores, embedding = run(tflite.Graph(assets[objectron.LABELS_BYTES :]), picture.astype(numpy.float32) / 127.5 - 1)
    x, y, width, height = objectron.anchors().T
    middle_x, middle_y = raw[:, 1] / 10 * width + x, raw[:, 0] / 10 * height + y
    half_x, half_y = numpy.exp(raw[:, 3] / 5) * width / 2, numpy.exp(raw[:, 2] / 5) * height / 2
    boxes = numpy.stack([middle_x - half_x, middle_y - half_y, middle_x + half_x, middle_y + half_y], 1)
    answers = (boxes, 1 / (1 + numpy.exp(-scores))[:, 1:], embedding)
    numpy.concatenate([one.astype(numpy.float32).ravel() for one in answers]).tofile(sys.argv[3])


main()
