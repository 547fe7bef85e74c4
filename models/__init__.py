"""Attune's quantized networks, the list of them, and the recipes that train them."""
