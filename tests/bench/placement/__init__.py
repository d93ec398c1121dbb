"""The suite `placement`: programs at forced places, in mixtures, and where automatic choice lets them run."""
