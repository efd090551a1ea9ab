"""HTTP: the two routes that SageMaker asks for, and one request to them from its arrival to its answer."""
