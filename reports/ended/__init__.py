"""Pages of jobs that have ended: one with the gate's verdict and its bill, or several beside each other."""
