"""See whether what is asked of the model still looks like what it was tested on."""
