"""A local exchange: plays Binance spot (or OKX) on loopback, for clients that know no better."""
