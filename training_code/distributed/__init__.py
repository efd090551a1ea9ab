"""What a job runs on: one machine's cores and GPUs, and the processes that train one network together."""
