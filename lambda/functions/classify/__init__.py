"""The public API: a picture in, its class out; what serves; and a page to try it on."""
