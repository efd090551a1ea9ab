"""The serving functions without anything around them, in a process of its own: a loop in each thread.

Prints one JSON line: pictures, seconds, and pictures a second.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from inference_code.process import prepare


def main() -> None:
    """Answer every file of a folder, and tell how long it took."""
    prepare()
    from inference_code import inference
    from inference_code.api_error import ApiError

    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()
    model = inference.model_fn(str(options.model))
    paths = sorted(path for path in options.folder.rglob("*") if path.is_file())
    rest, taking = iter(paths), threading.Lock()

    def mine() -> Iterator[Path]:
        while True:
            with taking:
                path = next(rest, None)
            if path is None:
                return
            yield path

    def work() -> None:
        for path in mine():
            try:
                query = inference.input_fn(path.read_bytes(), None)
                inference.output_fn(inference.predict_fn(query, model), None)
            except ApiError:
                continue

    began = time.perf_counter()
    threads = [threading.Thread(target=work) for _ in range(options.threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    print(json.dumps({"pictures": len(paths), "seconds": seconds, "per_second": len(paths) / seconds}))


if __name__ == "__main__":
    main()
