"""Floor 3: market-data files. Backtest, replay, optimise and report will live here too."""
