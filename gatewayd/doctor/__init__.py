"""What somebody who knows serial ports would look at first on a machine that gives trouble."""
