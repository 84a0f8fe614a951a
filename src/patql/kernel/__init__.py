"""What every layer may use: errors, the clock, secrets, values, HTTP messages."""
