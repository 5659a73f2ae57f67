"""What a delivered file holds: sniffing, csv, tsv, xlsx, unpacking, kinds of values, profiling."""
