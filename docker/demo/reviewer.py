#!/usr/bin/python3
"""A reviewer for the demo, who is a script: takes tasks through the public API and corrects what a model drew.

    GLEANER_TOKEN=… docker/demo/reviewer.py --server URL --schema NAME --set N --films DIR [--truth FILE]

What is right it knows from truth.json, which says of moments of the demo's three films what is to be seen in them. Which
moment a picture is of it finds by looking: it decodes the films by itself, makes a small grey picture of every frame and
one of the task's picture, and takes the nearest; between two known moments boxes move evenly. A picture that is near to
none, or to a moment that nothing is known of, is skipped with that reason.
So the server and it share nothing but the API. It prints what it did as one JSON object.

It must be called script-… where tokens are made: a report of its labels then says that they are a script's.
"""
import argparse
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

WIDTH, HEIGHT = 24, 18  # of the small grey pictures
FARTHEST = 40  # mean square of what two of them may differ, of 255²
SAME_BOX = 0.5  # intersection over union from which on two boxes say the same
TIMEOUT_S = 60
UNKNOWN = "none of the moments that truth.json knows is near to this"


class Server:
    def __init__(self, url, token):
        self.url, self.token = url.rstrip("/"), token

    def get(self, path, body=None):
        request = urllib.request.Request(self.url + path, data=body)
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        if body is not None:
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{path}: {error.code} {error.read(500).decode(errors='replace')}") from error

    def label(self, method, **message):
        return json.loads(self.get(f"/gleaner.v1.LabelService/{method}", json.dumps(message).encode()))


def grey(source, data=None):
    """The small grey pictures of a film or, from `data`, of a picture."""
    scaled = f"scale={WIDTH}:{HEIGHT}:flags=area,format=gray"
    ran = subprocess.run(
        ["ffmpeg", "-v", "fatal", "-threads", "1", "-i", source, "-an", "-vf", scaled, "-fps_mode", "passthrough",
         "-f", "rawvideo", "-"],
        input=data, stdout=subprocess.PIPE, check=True, timeout=TIMEOUT_S,
        **({} if data is not None else {"stdin": subprocess.DEVNULL}))  # fmt: skip
    size = WIDTH * HEIGHT
    return [ran.stdout[at : at + size] for at in range(0, len(ran.stdout) - size + 1, size)]


def difference(one, other):
    return sum((a - b) * (a - b) for a, b in zip(one, other)) / len(one)


def between(one, other, share):
    """The boxes of a moment between two: as far on their way as the share says. None where they can't be told apart."""
    left, moved = list(other), []
    for box in one:
        near = min(left, key=lambda to: abs(to[1] - box[1]) + abs(to[2] - box[2]), default=None)
        if near is None or near[0] != box[0] or abs(near[1] - box[1]) > 2 * max(near[3], box[3]):
            return None
        left.remove(near)
        moved.append((box[0], *(a + (b - a) * share for a, b in zip(box[1:], near[1:]))))
    return None if left else moved


def known_frames(truth, films):
    """(small grey picture, boxes) of each frame of the films; a box is (class, x, y, width, height). None: it isn't known."""
    frames = []
    for film in truth["films"]:
        every, moments = film["every"], film["moments"]
        known = [None if boxes is None else [tuple(box) for box in boxes] for boxes in moments]
        for number, picture in enumerate(grey(os.path.join(films, film["film"]))):
            at, past = divmod(number, every)
            before, after = (known[i] if i < len(known) else None for i in (at, at + 1))
            boxes = before if past * 2 < every else after
            if before is not None and after is not None:
                boxes = between(before, after, past / every) or boxes
            frames.append((picture, boxes))
    return frames


def overlap(one, other):
    width = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    height = min(one[2] + one[4], other[2] + other[4]) - max(one[2], other[2])
    if one[0] != other[0] or width <= 0 or height <= 0:
        return 0
    both = width * height
    return both / (one[3] * one[4] + other[3] * other[4] - both)


def corrected(drawn, truth):
    """What is right, and whether that is what was drawn. A box that was drawn well stays as it was drawn."""
    left, result, same = list(drawn), [], True
    for box in truth:
        best = max(left, key=lambda other: overlap(box, other), default=None)
        if best is not None and overlap(box, best) >= SAME_BOX:
            left.remove(best)
            result.append(best)
        else:
            result.append(box)
            same = False
    return result, same and not left


class Reviewer:
    def __init__(self, server, schema, frames):
        self.server, self.schema, self.frames = server, schema, frames
        classes = server.label("GetSchema", name=schema)["schema"]["classes"]
        self.names = {entry["id"]: entry["name"] for entry in classes}
        self.ids = {entry["name"]: entry["id"] for entry in classes}
        self.did = {"accepted": 0, "fixed": 0, "rejected": 0, "created": 0, "skipped": 0}

    def truth_of(self, frame):
        """The boxes of the nearest frame; None where none is near, or nothing is known of it."""
        path = "/".join(urllib.parse.quote(str(part)) for part in (frame["clip"], frame["camera"], frame.get("pts", 0)))
        picture = grey("pipe:0", data=self.server.get(f"/frames/{path}/picture"))[0]
        away, boxes = min(((difference(picture, known), boxes) for known, boxes in self.frames), key=lambda pair: pair[0])
        return boxes if away <= FARTHEST else None

    def review(self, task):
        began = time.monotonic()
        truth = self.truth_of(task["frame"]["id"])
        if truth is None:
            self.server.label("SkipTask", number=task["number"], reason=UNKNOWN)
            self.did["skipped"] += 1
            return
        shown = task.get("prelabel")
        drawn = [
            (self.names[box["classId"]], box.get("x", 0), box.get("y", 0), box["width"], box["height"])
            for box in (shown or {}).get("boxes", [])
        ]
        right, same = corrected(drawn, truth)
        verdict = "created" if shown is None else "accepted" if same else "fixed" if right else "rejected"
        message = {"task": task["number"], "verdict": f"VERDICT_{verdict.upper()}"}
        if verdict in ("created", "fixed"):
            boxes = [
                {"classId": self.ids[name], "x": x, "y": y, "width": width, "height": height}
                for name, x, y, width, height in right
            ]
            message["annotation"] = {"boxes": boxes}
        message["humanMs"] = max(1, round((time.monotonic() - began) * 1000))
        self.server.label("SaveLabel", **message)
        self.did[verdict] += 1

    def work(self, task_set):
        while True:
            tasks = self.server.label("TakeTasks", schema=self.schema, set=task_set, most=5).get("tasks", [])
            if not tasks:
                return
            for task in tasks:
                self.review(task)


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    options = argparse.ArgumentParser(description="The demo's reviewer, who is a script.")
    options.add_argument("--server", required=True, help="the server's address")
    options.add_argument("--schema", required=True, help="what the tasks are about")
    options.add_argument("--set", type=int, default=0, help="only tasks of this set")
    options.add_argument("--films", required=True, help="the folder with the demo's films")
    options.add_argument("--truth", default=os.path.join(here, "truth.json"), help="what is to be seen in them")
    asked = options.parse_args()
    with open(asked.truth, encoding="utf-8") as file:
        truth = json.load(file)
    server = Server(asked.server, os.environ.get("GLEANER_TOKEN", ""))
    reviewer = Reviewer(server, asked.schema, known_frames(truth, asked.films))
    reviewer.work(asked.set)
    print(json.dumps(reviewer.did))


if __name__ == "__main__":
    try:
        main()
    except (OSError, RuntimeError, ValueError, KeyError, subprocess.SubprocessError) as error:
        sys.exit(f"reviewer.py: {error}")
