"""Debugger and profiler on one training: what was asked for, the session, and its side process.

`door` is what a job enters; nothing else here is imported until a job asks to be watched.
"""
