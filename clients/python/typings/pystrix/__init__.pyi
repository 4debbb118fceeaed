"""What bench_direct.py uses of pystrix, which has no types of its own."""
