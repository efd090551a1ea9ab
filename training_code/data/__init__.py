"""From files to batches, one way: `picture_files`, `decoding`, `dataset`, `feature_cache`, `batches`."""
