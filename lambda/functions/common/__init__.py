"""What the Lambda functions share. Nothing here keeps state: it lives in SageMaker, S3 and SSM."""
