"""The administrative regions of Indonesia, from province to village, and how their codes change over time."""
