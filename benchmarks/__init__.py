"""One runnable file per question: `make bench NAME=x` runs `benchmarks/x.py`.

Each measures this project and its peers in one run on the same work, prints a table, and writes
`benchmarks/results/x.json` through `harness`.
"""
