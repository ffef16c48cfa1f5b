"""Jobs with one injected fault each: one terminal result, told once by its id to each receiver."""
