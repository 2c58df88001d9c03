"""Floor 3: the backtest; replay, optimise and report will live here."""
