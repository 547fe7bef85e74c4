"""Where music goes: MPD, or nowhere audible."""
