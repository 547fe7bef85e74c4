"""How each network is trained, quantized and measured: shared pieces, and one recipe for each."""
