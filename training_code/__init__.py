"""Fine-tunes a ResNet on a folder of labelled pictures: what runs inside a training job.

`__main__` is the job from top to bottom; `entrypoint` is the image's first process. Each room says what it
is; their order is in `pyproject.toml` (import-linter's layers). Trials import only torch, Pillow, numpy and
safetensors, because every one of them pays for each import.
"""
