"""What every process of the fleet shares: its specification, its start-up, its log, its beats."""
