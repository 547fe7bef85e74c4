"""What the commands of `attune` do, a file each; device/__main__.py reads their arguments."""
