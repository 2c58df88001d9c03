"""Floor 3: market-data files and the backtest; replay, optimise and report will live here."""
