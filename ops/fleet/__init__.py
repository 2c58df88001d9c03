"""Many bots as processes of their own, started, watched and ended by one orchestrator."""
