"""What plots share: style, labels, spacing."""
