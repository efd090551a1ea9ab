"""The training report: one page for a reader, made of one record that a program can read.

`record` gathers what is known of a training into a plain dictionary (report.json); `page` draws it, and
`compare` draws several beside each other, with `charts` and the sections' files. What is markup stands in the
templates. The drawing needs nothing but the record, so a page can be made again later, elsewhere, or from
what a crashed job left: `python -m training_code.report` does.
"""
