"""The gateway process: the only place that talks to an account's broker, and the only writer of its orders."""
