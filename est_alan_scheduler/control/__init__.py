"""Control: the tick, management, configuration."""
