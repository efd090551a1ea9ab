"""What a job runs on: its device, cores, memory and driver."""
