"""The search for parameters: many backtests of one recorded market, and how far to believe them."""
