"""Where pictures and sound come from: live devices and recordings."""
