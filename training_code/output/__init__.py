"""What a job leaves: the model artifact with its papers, the record of its report, and of a crashed job."""
