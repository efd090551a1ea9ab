"""How good a network is: its scores, the champion's on the same pictures, and the form it is served in."""
