"""What goes in and out, one file per subject."""
