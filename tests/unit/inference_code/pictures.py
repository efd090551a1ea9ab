"""Pictures and things that are none, made on the spot: what people send to an endpoint."""

from __future__ import annotations

import base64
import io
import random
import struct
import zipfile
import zlib
from typing import Any

from PIL import Image

from inference_code import inference
from inference_code.picture import read

SIZE = (60, 40)


def encoded(picture: Image.Image, image_format: str, **options: Any) -> bytes:
    """The picture as the bytes of a file."""
    target = io.BytesIO()
    picture.save(target, image_format, **options)
    return target.getvalue()


def answered(
    model: inference.Classifier, picture: Image.Image, top_k: int, alone: bool = False
) -> dict[str, Any]:
    """The model's answer for a picture."""
    query = inference.Query(read(encoded(picture, "PNG")), top_k)
    return model.prediction(query, model.scores(query, alone).result(120))


def scene(size: tuple[int, int] = SIZE) -> Image.Image:
    """A picture in which every corner and every row differs."""
    width, height = size
    red = Image.linear_gradient("L").resize(size)
    green = Image.linear_gradient("L").rotate(90).resize(size)
    blue = Image.radial_gradient("L").resize(size)
    picture = Image.merge("RGB", (red, green, blue))
    picture.paste((250, 20, 20), (0, 0, width // 4, height // 4))
    return picture


def png_claiming(width: int, height: int) -> bytes:
    """A PNG whose header claims a size and which holds no pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b"")]
    parts = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def gif_claiming(width: int, height: int) -> bytes:
    """A GIF whose header claims a size."""
    return b"GIF89a" + struct.pack("<HH", width, height) + encoded(Image.new("P", (1, 1)), "GIF")[10:]


def tiff_with_tile(side: int) -> bytes:
    """A TIFF of 16×16 pixels that claims to be made of one JPEG-free tile of `side`×`side` pixels."""
    entries = [
        (256, 4, 16), (257, 4, 16), (258, 3, 8), (259, 3, 8), (262, 3, 1), (277, 3, 1),
        (322, 4, side), (323, 4, side), (324, 4, 200), (325, 4, 20),
    ]  # fmt: skip
    directory = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    start = b"II*\0" + struct.pack("<IH", 8, len(entries)) + directory + b"\0\0\0\0"
    return start.ljust(200, b"\0") + zlib.compress(b"\0" * 256).ljust(20, b"\0")


def jpeg_with_scans(extra: int) -> bytes:
    """A progressive JPEG of four megapixels whose last scan is repeated."""
    body = encoded(Image.new("RGB", (2000, 2000), (30, 60, 90)), "JPEG", progressive=True)
    last = body[body.rindex(b"\xff\xda") : -2]
    return body[:-2] + last * extra + b"\xff\xd9"


def png_with_text_bomb() -> bytes:
    """A PNG with a compressed comment that unpacks to 20 MB."""
    body = encoded(scene(), "PNG")
    data = b"Comment\0\0" + zlib.compress(b"x" * 20_000_000, 9)
    chunk = struct.pack(">I", len(data)) + b"zTXt" + data + struct.pack(">I", zlib.crc32(b"zTXt" + data))
    return body[:33] + chunk + body[33:]


def _zip() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("picture.jpg", encoded(scene(), "JPEG"))
    return target.getvalue()


def sound_pictures() -> dict[str, bytes]:
    """One file of each kind that has to be understood."""
    picture = scene()
    grey16 = Image.frombytes(
        "I;16", SIZE, bytes(value for n in range(60 * 40) for value in (n % 256, n % 250))
    )
    rgba = picture.convert("RGBA")
    rgba.putalpha(Image.linear_gradient("L").resize(SIZE))
    palette = picture.quantize(64)
    see_through = encoded(palette, "PNG", transparency=3)
    exif = Image.Exif()
    exif[0x0112] = 6
    frames = [Image.new("RGB", SIZE, color) for color in ("blue", "green")]
    return {
        "jpeg": encoded(picture, "JPEG"),
        "progressive jpeg": encoded(picture, "JPEG", progressive=True),
        "grey jpeg": encoded(picture.convert("L"), "JPEG"),
        "cmyk jpeg": encoded(picture.convert("CMYK"), "JPEG"),
        "rotated jpeg": encoded(picture, "JPEG", exif=exif),
        "jpeg with broken exif": encoded(picture, "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff broken"),
        "mpo": encoded(frames[0], "MPO", save_all=True, append_images=frames[1:]),
        "png": encoded(picture, "PNG"),
        "black and white png": encoded(picture.convert("1"), "PNG"),
        "grey png": encoded(picture.convert("L"), "PNG"),
        "grey alpha png": encoded(rgba.convert("LA"), "PNG"),
        "16-bit png": encoded(grey16, "PNG"),
        "16-bit png with a transparent value": encoded(grey16, "PNG", transparency=514),
        "palette png": encoded(palette, "PNG"),
        "transparent palette png": see_through,
        "rgba png": encoded(rgba, "PNG"),
        "animated png": encoded(frames[0], "PNG", save_all=True, append_images=frames[1:]),
        "webp": encoded(picture, "WEBP"),
        "lossless webp": encoded(rgba, "WEBP", lossless=True),
        "animated webp": encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:]),
        "bmp": encoded(picture, "BMP"),
        "palette bmp": encoded(palette, "BMP"),
        "gif": encoded(palette, "GIF"),
        "animated gif": encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]),
        "tiff": encoded(picture, "TIFF"),
        "compressed tiff": encoded(picture, "TIFF", compression="tiff_lzw"),
        "cmyk tiff": encoded(picture.convert("CMYK"), "TIFF"),
        "lab tiff": encoded(Image.new("LAB", SIZE, (128, 128, 128)), "TIFF"),
        "16-bit tiff": encoded(grey16, "TIFF"),
        "rotated tiff": encoded(picture, "TIFF", tiffinfo={0x0112: 6}),
        "one pixel": encoded(Image.new("RGB", (1, 1), "red"), "PNG"),
        "long strip": encoded(Image.new("L", (1, 60_000), 90), "PNG"),
    }


def no_pictures() -> dict[str, tuple[bytes, str]]:
    """Bodies that must be refused, and the code they are refused with."""
    jpeg, png = encoded(scene((400, 300)), "JPEG"), encoded(scene((400, 300)), "PNG")
    noise = random.Random(5).randbytes(5000)
    return {
        "nothing": (b"", "EmptyBody"),
        "random bytes": (noise, "UnsupportedImage"),
        "zeros": (bytes(5000), "UnsupportedImage"),
        "text": (b"What is in this picture?", "UnsupportedImage"),
        "html": (b"<!doctype html><title>404</title>", "UnsupportedImage"),
        "svg": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "UnsupportedImage"),
        "json": (b'{"instances": [[0.1, 0.2]]}', "UnsupportedImage"),
        "zip": (_zip(), "UnsupportedImage"),
        "pdf": (b"%PDF-1.7\n%", "UnsupportedImage"),
        "base64": (base64.b64encode(jpeg), "UnsupportedImage"),
        "data uri": (b"data:image/jpeg;base64," + base64.b64encode(jpeg), "UnsupportedImage"),
        "git lfs pointer": (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:46\nsize 5\n",
            "UnsupportedImage",
        ),
        "ico": (encoded(scene((16, 16)), "ICO"), "UnsupportedImage"),
        "ppm": (encoded(scene(), "PPM"), "UnsupportedImage"),
        "float tiff": (encoded(Image.new("F", SIZE, 0.5), "TIFF"), "UnsupportedImage"),
        "32-bit tiff": (encoded(Image.new("I", SIZE, 5), "TIFF"), "UnsupportedImage"),
        "jpeg header only": (jpeg[:12], "TruncatedImage"),
        "jpeg cut short": (jpeg[: len(jpeg) // 2], "TruncatedImage"),
        "png cut short": (png[: len(png) // 2], "TruncatedImage"),
        "gif cut short": (encoded(scene().quantize(), "GIF")[:900], "TruncatedImage"),
        "png with noise for pixels": (png[:50] + noise, "UnsupportedImage"),
        "png of 200 megapixels": (png_claiming(20_000, 10_000), "TooManyPixels"),
        "png of 4 gigapixels": (png_claiming(65_000, 65_000), "TooManyPixels"),
        "gif of 4 gigapixels": (gif_claiming(65_535, 65_535), "TooManyPixels"),
        "png without width": (png_claiming(0, 100), "UnsupportedImage"),
        "tiff with a huge tile": (tiff_with_tile(60_000), "TooManyPixels"),
        "jpeg with a thousand scans": (jpeg_with_scans(1000), "UnsupportedImage"),
        "png with a text bomb": (png_with_text_bomb(), "UnsupportedImage"),
    }
