"""The endpoint's container: `python -m inference_code serve`, which is what SageMaker calls.

The port opens at once and the model is loaded beside it, so that /ping can say 503 until it has answered a
first picture. Read on in `serving/service.py` (the two routes), then `serving/exchange.py` (one request).
https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
"""

from __future__ import annotations

import ctypes
import logging
import os
import sys
import threading
import warnings

from inference_code import logs
from inference_code.serving.server import Server
from inference_code.serving.service import Service
from inference_code.serving.settings import Settings

# malloc.h's names. Pixels of a picture of 1000x1000 stay in a heap, Pillow's blocks of 16 MB do not; and what
# a request of usual size needs is kept for the next.
_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD = -3, -1
_MAPPED_FROM_BYTES, _KEPT_BYTES = 4 << 20, 16 << 20


def main() -> None:
    """Serve until SIGTERM or Ctrl-C."""
    if sys.argv[1:] not in ([], ["serve"]):
        sys.exit(f"inference_code takes the one argument `serve`, not {' '.join(sys.argv[1:])}.")
    # Before PyTorch is loaded: its OpenMP threads spin for milliseconds while they wait for each other, and
    # so keep the cores from whoever they wait for. Spinning briefly, a picture took 117 ms beside busy
    # neighbours instead of 818, and 28 instead of 25 at best (47 without any spinning).
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    _return_large_blocks()
    logs.start()
    warnings.simplefilter("ignore")  # Pillow warns about every odd picture; what matters becomes an error
    settings = Settings.from_environment()
    service = Service(settings)
    threading.Thread(target=service.load_model, name="load", daemon=True).start()
    Server(service, settings).run()
    logging.getLogger("serve").info("stopped")
    logging.shutdown()
    # Not sys.exit: that would wait for a worker thread whose picture takes longer than the drain.
    os._exit(0)


def _return_large_blocks() -> None:
    """Let glibc map large blocks by themselves, and give them back when they are freed.

    By itself it learns from the first large picture to keep blocks of up to 32 MB in its heaps, where small
    ones between them hold them fast. See mallopt(3), "dynamic mmap threshold"; another C library has no such
    call.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _MAPPED_FROM_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)


if __name__ == "__main__":
    main()
