"""Floor 3: market-data files, the backtest, the replay and the search for parameters."""
