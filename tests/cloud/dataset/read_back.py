#!/usr/bin/python3
"""Reads what Gleaner froze and exported with nothing of Gleaner's: read_back.py merkle LIST | coco TAR LIST | yolo TAR LIST |
webdataset FOLDER LIST | cvat TAR LIST | label_studio TAR LIST. Prints what a test compares, and fails with a sentence."""

import hashlib
import json
import os
import struct
import sys
import tarfile
import xml.etree.ElementTree


def lines_of(path):
    with open(path, "rb") as file:
        return file.read().split(b"\n")[:-1]


def sha(data):
    return hashlib.sha256(data).digest()


def tree(leaves):
    """RFC 6962, section 2.1, as it stands there."""
    if not leaves:
        return sha(b"")
    if len(leaves) == 1:
        return sha(b"\0" + leaves[0])
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha(b"\1" + tree(leaves[:k]) + tree(leaves[k:]))


def merkle(path):
    lines = lines_of(path)
    print(sha(b"gleaner.dataset.v1\n" + struct.pack(">Q", len(lines)) + tree(lines)).hex())


def frames_of(path):
    return [json.loads(line) for line in lines_of(path)[1:]]


def name(frame):
    return (frame["clip"], frame["camera"], frame["pts"])


def check(so, what):
    if not so:
        sys.exit("FAILED: " + what)


def members(path):
    found = {}
    with tarfile.open(path, "r:") as tar:
        for member in tar:
            check(member.isfile() and member.mtime == 0 and member.uid == 0 and member.mode == 0o644, member.name)
            check(member.name not in found, "twice: " + member.name)
            found[member.name] = tar.extractfile(member).read()
    return found


def check_picture(frame, data):
    check(hashlib.sha256(data).hexdigest() == frame["picture"]["sha256"], f"picture of {name(frame)}")


def near(a, b):
    return abs(a - b) < 1e-9


def coco(path, list_path):
    found = members(path)
    frames = {name(frame): frame for frame in frames_of(list_path)}
    seen, boxes, ids, box_ids = set(), 0, set(), set()
    for key in [k for k in found if k.startswith("annotations/")]:
        split = key[len("annotations/instances_"):-len(".json")]
        data = json.loads(found[key])
        classes = {c["id"]: c["name"] for c in data["categories"]}
        images = {i["id"]: i for i in data["images"]}
        check(len(images) == len(data["images"]) and not ids & set(images), "ids of images are unique")
        ids |= set(images)
        of_image = {i: [] for i in images}
        for one in data["annotations"]:
            check(one["id"] not in box_ids, "ids of annotations are unique")
            box_ids.add(one["id"])
            check(one["iscrowd"] == 0, "iscrowd")
            check(abs(one["area"] - one["bbox"][2] * one["bbox"][3]) < 0.01 + 1e-3 * one["area"], f"area of {one}")
            of_image[one["image_id"]].append(one)
        for i, image in images.items():
            frame = frames[name(image["gleaner"])]
            check(frame["split"] == split, "split")
            check((image["width"], image["height"]) == (frame["width"], frame["height"]), "size")
            check_picture(frame, found[image["file_name"]])
            seen.add(name(frame))
            check(len(of_image[i]) == len(frame["boxes"]), "number of boxes")
            for one, (cls, x, y, w, h, _) in zip(of_image[i], frame["boxes"]):
                check(classes[one["category_id"]] == cls, "class")
                wanted = [x * frame["width"] / 1e6, y * frame["height"] / 1e6, w * frame["width"] / 1e6, h * frame["height"] / 1e6]
                check(all(near(a, b) for a, b in zip(one["bbox"], wanted)), f"box {one['bbox']} {wanted}")
                boxes += 1
    print(len(seen), boxes)


def yolo(path, list_path):
    found = members(path)
    yaml = found["data.yaml"].decode().split("\n")
    classes = {}
    for line in yaml[yaml.index("names:") + 1:]:
        if line:
            number, cls = line.strip().split(": ")
            classes[cls.strip('"')] = int(number)
    boxes = seen = 0
    for frame in frames_of(list_path):
        base = f"{frame['split']}/{frame['camera']}/{frame['clip']}-{frame['pts']}"
        if f"images/{base}.jpg" not in found:
            continue
        check_picture(frame, found[f"images/{base}.jpg"])
        rows = found[f"labels/{base}.txt"].decode().splitlines()
        check(len(rows) == len(frame["boxes"]), "number of rows")
        for row, (cls, x, y, w, h, _) in zip(rows, frame["boxes"]):
            fields = row.split(" ")
            check(len(fields) == 5 and int(fields[0]) == classes[cls], row)
            numbers = [float(f) for f in fields[1:]]
            check(all(0 <= n <= 1 for n in numbers), row)
            check(all(near(a, b / 1e6) for a, b in zip(numbers, [x + w / 2, y + h / 2, w, h])), row)
            boxes += 1
        seen += 1
    check(len(found) == 1 + 2 * seen, "nothing else is in it")
    print(seen, boxes)


def webdataset(folder, list_path):
    frames = {name(frame): frame for frame in frames_of(list_path)}
    with open(os.path.join(folder, "index.json"), "rb") as file:
        index = json.load(file)
    seen = set()
    for shard in index["shards"]:
        path = os.path.join(folder, shard["name"])
        with open(path, "rb") as file:
            data = file.read()
        check(len(data) == shard["bytes"] and hashlib.sha256(data).hexdigest() == shard["sha256"], shard["name"])
        samples, order = {}, []
        for key, value in members(path).items():
            at = key.index(".", key.rindex("/"))
            if key[:at] not in samples:
                order.append(key[:at])
            check(order[-1] == key[:at], "members of a sample are adjacent")
            samples.setdefault(key[:at], {})[key[at + 1:]] = value
        check(len(samples) == shard["samples"], "number of samples")
        for sample in samples.values():
            frame = json.loads(sample["json"])
            check(frame == frames[name(frame)] and frame["split"] == shard["split"], f"label of {name(frame)}")
            check_picture(frame, sample["jpg"])
            seen.add(name(frame))
    print(len(seen), len(index["shards"]))


def cvat(path, list_path):
    found = members(path)
    frames = {name(frame): frame for frame in frames_of(list_path)}
    tasks = {}
    for (clip, camera, pts), frame in sorted(frames.items()):
        tasks.setdefault((frame["split"], camera, clip), []).append(pts)
    seen = boxes = used = 0
    for (split, camera, clip), all_pts in tasks.items():
        base = f"{split}/{camera}/{clip}/"
        if base + "annotations.xml" not in found:
            continue
        root = xml.etree.ElementTree.fromstring(found[base + "annotations.xml"])
        check(root.find("version").text == "1.1", "version")
        task = root.find("meta/task")
        check(int(task.find("size").text) == len(all_pts), "size of the task")
        first = frames[(clip, camera, all_pts[0])]
        width, height = (float(task.find("original_size/" + side).text) for side in ("width", "height"))
        check((width, height) == (first["width"], first["height"]), "size of the pictures")
        labels = {one.find("name").text: one for one in task.findall("labels/label")}
        ours = {a.find("name").text: a.find("values").text for a in labels["gleaner:frames"].findall("attributes/attribute")}
        check(ours["of"] == f"{clip}/{camera}", "which clip it is")
        told = "\n".join(ours[f"frames-{i}"] for i in range(len(ours) - 1)).split("\n")
        check(told == [str(pts) for pts in all_pts], f"which frames it has: {told}")
        raw = json.loads(found[base + "labels.json"])
        check([one["name"] for one in raw] == list(labels), "labels.json has the same labels")
        for one in raw:
            for attribute in one["attributes"]:
                check(len("\n".join(attribute["values"])) <= 4096 and len(attribute["default_value"]) <= 128, "what CVAT can keep")
        of_frame = {}
        for track in root.findall("track"):
            inside = [box for box in track if box.get("outside") == "0"]
            check(len(inside) == 1 and all(box.get("keyframe") == "1" for box in track), "a track is one keyframe")
            at = int(inside[0].get("frame"))
            check(at == len(all_pts) - 1 or [int(b.get("frame")) for b in track if b.get("outside") == "1"] == [at + 1], "a track ends")
            of_frame.setdefault(at, []).append((track.get("label"), inside[0]))
        for at, pts in enumerate(all_pts):
            frame = frames[(clip, camera, pts)]
            check_picture(frame, found[f"{base}images/{at:06}.jpg"])
            drawn = of_frame.get(at, [])
            check(len(drawn) == len(frame["boxes"]), "number of boxes")
            for (label, box), (cls, x, y, w, h, _) in zip(drawn, frame["boxes"]):
                check(label == cls, "class")
                wanted = [x * width / 1e6, y * height / 1e6, (x + w) * width / 1e6, (y + h) * height / 1e6]
                check(all(near(float(box.get(k)), v) for k, v in zip(("xtl", "ytl", "xbr", "ybr"), wanted)), f"box {box.attrib} {wanted}")
                ids = [a.text for a in box.findall("attribute") if a.get("name") == "gleaner_frame"]
                check(ids == [f"{clip}/{camera}/{pts}"], f"id {ids}")
                boxes += 1
            seen += 1
        used += 2 + len(all_pts)
    check(used == len(found), "nothing else is in it")
    print(seen, boxes)


def label_studio(path, list_path):
    found = members(path)
    frames = {name(frame): frame for frame in frames_of(list_path)}
    config = xml.etree.ElementTree.fromstring(found["config.xml"])
    controls = {one.get("name"): one for one in config if one.tag != "Image"}
    boxes, seen = 0, set()
    for key in [k for k in found if k.endswith(".json")]:
        for task in json.loads(found[key]):
            id = task["meta"]["gleaner"]
            frame = frames[name(id)]
            check(frame["split"] == key[:-len(".json")] == id["split"], "split")
            check(task["data"]["gleaner_frame"] == f"{frame['clip']}/{frame['camera']}/{frame['pts']}", "id")
            check_picture(frame, found[task["data"]["image"]])
            results = task["annotations"][0]["result"]
            check(results == task["predictions"][0]["result"], "the prediction is the annotation")
            for one in results:
                check(one["from_name"] in controls and one["to_name"] == "image", "the interface has " + one["from_name"])
                check((one["original_width"], one["original_height"]) == (frame["width"], frame["height"]), "size")
            drawn = [one["value"] for one in results if one["type"] == "rectanglelabels"]
            check(len(drawn) == len(frame["boxes"]), "number of boxes")
            for value, (cls, x, y, w, h, _) in zip(drawn, frame["boxes"]):
                check(value["rectanglelabels"] == [cls], "class")
                check(cls in [label.get("value") for label in controls["label"]], "the interface has the class")
                check(all(near(value[k], v / 1e4) for k, v in zip(("x", "y", "width", "height"), (x, y, w, h))), f"box {value}")
                boxes += 1
            seen.add(name(frame))
    check(len(found) == 1 + len(seen) + len([k for k in found if k.endswith(".json")]), "nothing else is in it")
    print(len(seen), boxes)


if __name__ == "__main__":
    {"merkle": merkle, "coco": coco, "yolo": yolo, "webdataset": webdataset, "cvat": cvat, "label_studio": label_studio}[sys.argv[1]](*sys.argv[2:])
