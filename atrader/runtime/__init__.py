"""What every child process has in common: how it starts, logs, beats and ends. Knows none of the processes."""
