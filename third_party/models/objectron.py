"""The detector inside npm's @mediapipe/objectron: an SSD on MobileNetV2, 300 x 300, 23 classes of everyday things.

Its package holds one file of assets: the names of the classes, a line each with the background first, then a TensorFlow Lite
graph. What is made of it answers three things in one pass:

  scores     1 x 1917 x 23   of each anchor and class, 0 to 1; the background is left out
  boxes      1 x 1917 x 4    left, top, right, bottom of the picture, 0 to 1
  embedding  1 x 1280        the mean of the last layer of the backbone, over the picture
"""

import math

import numpy

import onnx
import tflite

ASSETS = "@mediapipe/objectron/objectron_solution_packed_assets.data"
ASSETS_SHA256 = "470986ca5df183f41698da6de74b027d838fe289d77b5ab094497d350bee664e"
LABELS_BYTES = 184
SIDE = 300
OPSET = 9  # what OpenCV 4.6 reads without stumbling

ADD, CONCATENATION, CONV, DEPTHWISE_CONV, DEQUANTIZE, RESHAPE = 0, 2, 3, 4, 6, 22
SAME_PADDING, RELU, RELU6 = 0, 1, 3
EMBEDDING = 1280


def anchors():
    """Centre, width and height of each box that is started from: W. Liu and others, "SSD" (2016), section 2.2, with the
    lowest layer reduced as TensorFlow's object detection does (ssd_anchors_calculator.proto in MediaPipe)."""
    layers = 6
    sides = [19, 10, 5, 3, 2, 1]
    scales = [0.2 + (0.95 - 0.2) * layer / (layers - 1) for layer in range(layers)] + [1.0]
    found = []
    for layer, side in enumerate(sides):
        scale = scales[layer]
        if layer == 0:
            shapes = [(0.1, 0.1)] + [(scale * math.sqrt(r), scale / math.sqrt(r)) for r in (2, 0.5)]
        else:
            ratios = (1, 2, 0.5, 3, 1 / 3)
            shapes = [(scale * math.sqrt(r), scale / math.sqrt(r)) for r in ratios]
            shapes.append((math.sqrt(scale * scales[layer + 1]),) * 2)
        for row in range(side):
            for column in range(side):
                for width, height in shapes:
                    found.append(((column + 0.5) / side, (row + 0.5) / side, width, height))
    return numpy.array(found, numpy.float32)


class Converter:
    def __init__(self, graph):
        self._from = graph
        self._to = onnx.Graph("objectron")
        self._names = {graph.inputs[0]: self._to.input("image", [1, 3, SIDE, SIDE])}
        self._weights = {}
        self._pictures = set()  # what is channels first here and last there
        self._embedding = None

    def convert(self):
        steps = {ADD: self._add, CONCATENATION: self._concatenate, CONV: self._convolve,
                 DEPTHWISE_CONV: self._convolve, DEQUANTIZE: self._widen, RESHAPE: self._reshape}
        for number, operation in enumerate(self._from.operations):
            if operation.code not in steps:
                raise ValueError("operation %d is of the unknown kind %d" % (number, operation.code))
            steps[operation.code](operation, "n%d" % number)
        boxes, scores = (self._names[one] for one in self._from.outputs)
        self._finish_boxes(boxes)
        self._finish_scores(scores)
        self._finish_embedding()
        return self._to.serialize(OPSET)

    def _constant(self, tensor):
        if tensor not in self._weights:
            self._weights[tensor] = self._from.tensors[tensor].values()
        return self._weights[tensor]

    def _widen(self, operation, _):
        """Weights are kept in half precision."""
        halves = self._from.tensors[operation.inputs[0]].values()
        self._weights[operation.outputs[0]] = halves.astype(numpy.float32)

    def _convolve(self, operation, name):
        deep = operation.code == DEPTHWISE_CONV
        weights, bias = (self._constant(one).astype(numpy.float32) for one in operation.inputs[1:3])
        options = operation.options
        stride = options.number(1, "i", 1)
        activation = options.number(4 if deep else 3, "B")
        kernel = weights.shape[1]
        side = self._from.tensors[operation.inputs[0]].shape[1]
        # "Same" puts the odd row of padding at the end.
        padding = 0
        if options.number(0, "B") == SAME_PADDING:
            padding = max((math.ceil(side / stride) - 1) * stride + kernel - side, 0)
        first, last = padding // 2, padding - padding // 2
        order = (3, 0, 1, 2) if deep else (0, 3, 1, 2)
        made = self._to.node(
            "Conv",
            [self._names[operation.inputs[0]],
             self._to.constant(name + ".weights", weights.transpose(order)),
             self._to.constant(name + ".bias", bias)],
            name, kernel_shape=[kernel, kernel], strides=[stride, stride],
            pads=[first, first, last, last], group=weights.shape[3] if deep else 1)
        if activation == RELU6:
            made = self._to.node("Clip", [made], name + ".clipped", min=0.0, max=6.0)
        elif activation == RELU:
            made = self._to.node("Relu", [made], name + ".clipped")
        elif activation != 0:
            raise ValueError("%s has the unknown activation %d" % (name, activation))
        output = operation.outputs[0]
        if self._from.tensors[output].shape[3] == EMBEDDING:
            self._embedding = made
        self._pictures.add(output)
        self._names[output] = made

    def _add(self, operation, name):
        inputs = [self._names[one] for one in operation.inputs]
        self._names[operation.outputs[0]] = self._to.node("Add", inputs, name)

    def _reshape(self, operation, name):
        source, output = operation.inputs[0], operation.outputs[0]
        made = self._names[source]
        if source in self._pictures:
            made = self._to.node("Transpose", [made], name + ".last", perm=[0, 2, 3, 1])
        shape = numpy.array([1, -1, self._from.tensors[output].shape[-1]], numpy.int64)
        made = self._to.node("Reshape", [made, self._to.constant(name + ".shape", shape)], name)
        self._names[output] = made

    def _concatenate(self, operation, name):
        inputs = [self._names[one] for one in operation.inputs]
        self._names[operation.outputs[0]] = self._to.node("Concat", inputs, name, axis=1)

    def _finish_boxes(self, raw):
        """What is answered is how far, in tenths and fifths of its size, each box is from its anchor: y, x, height, width."""
        places = anchors()
        count = len(places)
        part = lambda start: self._to.node("Slice", [raw], "raw.%d" % start, axes=[2],
                                           starts=[start], ends=[start + 1])
        each = lambda name, values: self._to.constant(name, values.reshape(1, count, 1))
        corners = {}
        for axis, name in enumerate("xy"):
            centre, size = places[:, axis], places[:, axis + 2]
            moved = self._to.node("Mul", [part(1 - axis), each(name + ".tenth", size / 10)], name + ".moved")
            middle = self._to.node("Add", [moved, each(name + ".centre", centre)], name + ".middle")
            fifth = numpy.full(count, 0.2, numpy.float32)
            grown = self._to.node("Mul", [part(3 - axis), each(name + ".fifth", fifth)], name + ".grown")
            factor = self._to.node("Exp", [grown], name + ".factor")
            half = self._to.node("Mul", [factor, each(name + ".half", size / 2)], name + ".halves")
            corners[name] = (self._to.node("Sub", [middle, half], name + ".low"),
                             self._to.node("Add", [middle, half], name + ".high"))
        order = [corners["x"][0], corners["y"][0], corners["x"][1], corners["y"][1]]
        self._to.node("Concat", order, "boxes", axis=2)
        self._to.output("boxes", [1, count, 4])

    def _finish_scores(self, raw):
        count, classes = self._from.tensors[self._from.outputs[1]].shape[1:]
        things = self._to.node("Slice", [raw], "things", axes=[2], starts=[1], ends=[classes])
        self._to.node("Sigmoid", [things], "scores")
        self._to.output("scores", [1, count, classes - 1])

    def _finish_embedding(self):
        pooled = self._to.node("GlobalAveragePool", [self._embedding], "pooled")
        self._to.node("Flatten", [pooled], "embedding", axis=1)
        self._to.output("embedding", [1, EMBEDDING])


def convert(assets):
    """The bytes of the ONNX file, and the names of the classes."""
    labels = assets[:LABELS_BYTES].decode().split("\n")
    return Converter(tflite.Graph(assets[LABELS_BYTES:])).convert(), [one for one in labels[1:] if one]
