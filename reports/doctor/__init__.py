"""The page of the doctor: what is wrong with labelled pictures, with a mark for each."""
