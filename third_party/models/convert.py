#!/usr/bin/python3
"""Makes ONNX files, which OpenCV reads, of the models that npm packages carry: see README.md.

    convert.py [FOLDER]     writes to FOLDER, or to made/ beside this file

The packages lie in node_modules/ beside this file. What goes in and what comes out is checked by its digest.
"""

import hashlib
import os
import pathlib
import sys

import objectron

HERE = pathlib.Path(__file__).resolve().parent
# Each: the module that knows it, and the digest of what it makes.
MODELS = {"objectron": (objectron, "b1d0121d46ad7dd4af8569a3cae4cb848b450597fcdd4e844087f3db20f42ac7")}


def read(path, sha256):
    data = path.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise ValueError("%s is another file than the one that is known here: SHA-256 %s, not %s" % (path, found, sha256))
    return data


def write(path, data):
    """Whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(data)
    os.replace(partial, path)


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for name, (module, sha256) in MODELS.items():
        made, labels = module.convert(read(HERE / "node_modules" / module.ASSETS, module.ASSETS_SHA256))
        found = hashlib.sha256(made).hexdigest()
        if found != sha256:
            raise ValueError("%s.onnx became another file than ever before: SHA-256 %s, not %s" % (name, found, sha256))
        write(folder / (name + ".labels"), "".join(one + "\n" for one in labels).encode())
        write(folder / (name + ".onnx"), made)


if __name__ == "__main__":
    try:
        main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "made")
    except (OSError, ValueError) as error:
        sys.exit("convert.py: %s" % error)
