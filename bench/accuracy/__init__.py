"""`make bench-accuracy`: are attacked pictures found again, and others left alone? See docs/accuracy.md."""
