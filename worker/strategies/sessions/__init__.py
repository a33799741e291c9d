"""What strategies of a session are made of: hours, range, filters of whole days, zones, the end of the day."""
