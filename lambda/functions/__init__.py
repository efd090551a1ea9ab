"""The Lambda functions: one package each with a thin `handler`, and `common` for what they share."""
