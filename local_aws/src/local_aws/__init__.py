"""The laptop's AWS: ministack with SageMaker, its runtime, Application Auto Scaling and their
CloudFormation types.

Start with `server.py`; it knows every other room. `sagemaker` and `autoscaling` are the services,
`cloudformation` the resource types that stand on them, `images` the container images they run, `core` what
all of them share. Nothing here knows the project it is used for.
"""
