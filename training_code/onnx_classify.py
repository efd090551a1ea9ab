"""Classifies pictures by the files beside it: `python classify.py PICTURE...`."""

import json
import sys
from pathlib import Path

try:
    import numpy as np
    import onnxruntime
    from numpy.typing import NDArray
    from PIL import Image, ImageOps
except ModuleNotFoundError:
    sys.exit("This needs onnxruntime, numpy and Pillow: pip install onnxruntime numpy pillow")

HERE = Path(__file__).parent
CLASSES, HOW = (json.loads((HERE / f"{name}.json").read_text()) for name in ("classes", "transform"))
SESSION = onnxruntime.InferenceSession(HERE / "model.onnx", providers=["CPUExecutionProvider"])


def pixels(file: str | Path) -> NDArray[np.uint8]:
    """The square that the network sees: uint8 (crop, crop, 3)."""
    opened, size, crop = Image.open(file), HOW["resize"], HOW["crop"]
    if HOW.get("jpeg_draft"):
        opened.draft(None, (HOW["jpeg_draft"] * size,) * 2)
    picture = ImageOps.exif_transpose(opened).convert("RGB")
    width, height = picture.size
    sides = (size * width // min(width, height), size * height // min(width, height))
    sides = (size, size) if HOW["resize_mode"] == "exact" else sides
    across, down = width / sides[0], height / sides[1]
    left, top = round((sides[0] - crop) / 2), round((sides[1] - crop) / 2)
    right, bottom = min(width, (left + crop) * across), min(height, (top + crop) * down)
    filter_ = Image.Resampling[HOW["interpolation"].upper()]
    return np.asarray(picture.resize((crop, crop), filter_, (left * across, top * down, right, bottom)))


if __name__ == "__main__":
    for name in sys.argv[1:]:
        (shares,) = SESSION.run(None, {"pixels": pixels(name)[None]})[0]
        best = shares.argsort()[::-1][:5]
        print(name, *(f"{CLASSES[place]} {shares[place]:.4f}" for place in best), sep="\t")
