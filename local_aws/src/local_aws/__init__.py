"""The laptop's AWS: ministack with SageMaker, Application Auto Scaling and their CloudFormation types.

Start with `server.py`. `sagemaker` and `autoscaling` are the services, `cloudformation` the resource types on
top of them, `images` the container images they run, `core` what all share.
"""
