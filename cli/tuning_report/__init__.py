"""What a search found, as one page: `read` asks AWS, `importance` weighs the hyperparameters, `charts` draws,
`page` puts it together, and what is markup stands in the templates.
"""
