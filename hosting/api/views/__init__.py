"""Parse, call one operation, render; one file per subject."""
