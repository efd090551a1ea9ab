"""What runs inside an endpoint: the server, SageMaker's four functions, and the network's two forms."""
