"""The local AWS as a process: started, recognised, stopped."""
