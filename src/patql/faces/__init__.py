"""What people and programs talk to; none knows another."""
