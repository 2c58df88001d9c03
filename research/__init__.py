"""Floor 3: backtest, replay, optimise and report will live here; nothing does yet."""
