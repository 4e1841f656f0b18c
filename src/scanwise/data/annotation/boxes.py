"""Boxes in images: COCO's annotations and Pascal VOC's."""

from __future__ import annotations

import json
import mmap
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from scanwise.data.annotation.collection import Box
from scanwise.data.annotation.reading import Reading, Row, head_of, number, read_text
from scanwise.data.decoding import shown
from scanwise.errors import DataError

__all__ = ["is_coco", "is_voc", "read_coco", "read_voc"]


def is_coco(path: Path) -> bool:
    """Whether a JSON file names the lists that COCO's annotations have."""
    if path.suffix.lower() != ".json" or not path.is_file():
        return False
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return all(content.find(name) >= 0 for name in (b'"images"', b'"annotations"', b'"categories"'))
    except (OSError, ValueError):  # not readable, or empty
        return False


def is_voc(path: Path) -> bool:
    """Whether an XML file begins as Pascal VOC's annotations do."""
    return path.suffix.lower() == ".xml" and b"<annotation" in head_of(path).replace(b"\0", b"")


def read_coco(path: Path, encoding: str | None) -> Reading:
    """Read COCO's object annotations: `images`, `categories`, and `annotations` with boxes [x, y, width, height].

    An image without annotations says that nothing occurs in it; one whose annotations have no box contains their labels
    somewhere. Masks are left out; a crowd's box counts as one event.

    Source: cocodataset.org, "Data Format".

    Raises:
        DataError: not such a file.
    """
    try:
        data = json.loads(read_text(path, encoding, "a JSON file"))
    except (ValueError, RecursionError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} must be a JSON file. Got one that cannot be read: {error}.") from None
    parts: dict[str, list[dict[str, Any]]] = {}
    for name in ("images", "annotations", "categories"):
        part = data.get(name) if isinstance(data, dict) else None
        if not isinstance(part, list) or not all(isinstance(entry, dict) for entry in part):
            raise DataError(
                f"{path} must be COCO's annotations, with lists images, annotations and categories. Got no {name}."
            )
        parts[name] = part
    reading = Reading()
    try:
        files = {image["id"]: str(image["file_name"]) for image in parts["images"]}
        labels = {category["id"]: str(category["name"]) for category in parts["categories"]}
        for name, known in (("images", files), ("categories", labels)):
            if len(known) < len(parts[name]):
                raise DataError(f"{path} must give each of its {name} an id of its own. Got one twice.")
    except (KeyError, TypeError) as error:
        raise DataError(
            f"{path} must give images an id and a file_name, and categories an id and a name. Got: {error}."
        ) from None
    reading.labels |= set(labels.values())
    annotated = set()
    for place, entry in enumerate(parts["annotations"]):
        source = f"{path}: annotations[{place}]"
        image, category = entry.get("image_id"), entry.get("category_id")
        if _missing(image, files) or _missing(category, labels):
            reading.find(
                "missing-file",
                source,
                f"{source} must have the id of an image and of a category. Got image_id {image!r} and "
                f"category_id {category!r}.",
            )
            continue
        try:
            box = _coco_box(entry.get("bbox"), source)
        except DataError as error:
            reading.find("bad-place", source, str(error))
            continue
        annotated.add(image)
        reading.rows.append(Row(files[image], labels[category], source, path.parent, box=box))
    for image, file in files.items():
        if image not in annotated:
            reading.rows.append(Row(file, None, str(path), path.parent))
    return reading


def read_voc(path: Path, encoding: str | None) -> Reading:
    """Read one file of Pascal VOC's annotations: a picture's `filename` and, for each `object`, `name` and `bndbox`.

    VOC's pixels count from 1 and its boxes include their last row and column: `xmin` 1 is the left edge. Parts of
    objects are left out. A file without objects says that nothing occurs in its picture.

    Source: Everingham et al., "The PASCAL Visual Object Classes Challenge 2012 Development Kit", section 9.

    Raises:
        DataError: not such a file.
    """
    content = path.read_bytes() if encoding is None else read_text(path, encoding, "an XML file").encode()
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:  # entities can grow to any size
        raise DataError(f"{path} must be XML without a document type. Got one that has it.")
    try:
        parser = ET.XMLParser(encoding=None if encoding is None else "utf-8")  # noqa: S314  see above
        root = ET.fromstring(content, parser)  # noqa: S314  see above
    except ET.ParseError as error:
        if encoding is None:
            read_text(path, None, "an XML file")  # says so where the encoding is at fault
        raise DataError(f"{path} must be an XML file. Got one that cannot be read: {error}.") from None
    except (ValueError, LookupError) as error:
        raise DataError(f"{path} must be an XML file. Got one that cannot be read: {error}.") from None
    if root.tag != "annotation":
        raise DataError(f"{path} must be Pascal VOC's <annotation>. Got <{shown(root.tag)}>.")
    reading = Reading()
    file = (root.findtext("filename") or "").strip()
    if not file:
        raise DataError(f"{path} must name its picture in <filename>. Got none.")
    for place, entry in enumerate(root.findall("object"), 1):
        source = f"{path}: object {place}"
        label = (entry.findtext("name") or "").strip()
        corners = entry.find("bndbox")
        if not label or corners is None:
            reading.find("bad-place", source, f"{source} must have a name and a bndbox. Got one without.")
            continue
        try:
            left, top, right, bottom = (
                number(corners.findtext(name), f"{source}: {name}")
                for name in ("xmin", "ymin", "xmax", "ymax")
            )
        except DataError as error:
            reading.find("bad-place", source, str(error))
            continue
        reading.rows.append(
            Row(file, label, source, path.parent, box=(max(top - 1, 0.0), max(left - 1, 0.0), bottom, right))
        )
    if not reading.rows and not reading.findings:
        reading.rows.append(Row(file, None, str(path), path.parent))
    return reading


def _missing(key: object, known: dict[Any, str]) -> bool:
    return not isinstance(key, int | str) or key not in known


def _coco_box(values: object, source: str) -> Box | None:
    if values is None:
        return None
    if not isinstance(values, list) or len(values) != 4:
        raise DataError(f"{source} must have a bbox [x, y, width, height]. Got {shown(str(values))}.")
    left, top, width, height = (number(value, f"{source}: bbox") for value in values)
    return (top, left, top + height, left + width)
