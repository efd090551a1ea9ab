"""Debugger and profiler on one training: the door a job enters by, the session, and its side process."""
