"""What a running installation does when anything in it fails: `make bench-faults`."""
