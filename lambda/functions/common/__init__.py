"""What the Lambda functions share.

A handler parses what came (`requests`), checks it against the recipe and the data bucket (`recipe`,
`storage`), builds AWS requests (`jobs`) and answers (`answers`). Nothing here keeps state: it lives in
SageMaker, S3 and SSM, so every step can be repeated.
"""
