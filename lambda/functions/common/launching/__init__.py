"""From a request or an event to a job that runs: names, costs, the record of the run, the request to AWS."""
