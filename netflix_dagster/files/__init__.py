"""Reads delivered files: sniffing, csv, tsv, xlsx, unpacking, kinds of values, profiling."""
