"""The endpoint's container: `python -m inference_code serve`, which is what SageMaker calls.

The port opens at once and the model is loaded beside it, so that /ping can say 503 until it has answered a
first picture. Read on in `serving/service.py` (the two routes), then `serving/exchange.py` (one request).
https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
"""

from __future__ import annotations

import logging
import os
import sys
import threading

from inference_code import logs
from inference_code.process import prepare
from inference_code.serving.server import Server
from inference_code.serving.service import Service
from inference_code.serving.settings import Settings


def main() -> None:
    """Serve until SIGTERM or Ctrl-C."""
    if sys.argv[1:] not in ([], ["serve"]):
        sys.exit(f"inference_code takes the one argument `serve`, not {' '.join(sys.argv[1:])}.")
    prepare()
    logs.start()
    settings = Settings.from_environment()
    service = Service(settings)
    threading.Thread(target=service.load_model, name="load", daemon=True).start()
    Server(service, settings).run()
    logging.getLogger("serve").info("stopped")
    logging.shutdown()
    # Not sys.exit: that would wait for a worker thread whose picture takes longer than the drain.
    os._exit(0)


if __name__ == "__main__":
    main()
