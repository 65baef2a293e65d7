"""The serial devices of this machine: found in sysfs, told apart by what they are, watched."""
