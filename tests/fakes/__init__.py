"""Small real stand-ins for devices and servers."""
