"""Tells the application of steps: what it is sent, how it answers, and when it is sent again."""
