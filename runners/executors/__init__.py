"""Where children are trained."""
