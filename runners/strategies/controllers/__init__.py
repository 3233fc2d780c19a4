"""Controllers: recurrent networks that write architectures, and their policy gradients."""
