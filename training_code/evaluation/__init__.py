"""What came out: scores, the comparison with the champion, the serving form, the artifact."""
