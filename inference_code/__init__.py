"""What runs inside an endpoint: the server, SageMaker's four functions, and the model behind them."""
