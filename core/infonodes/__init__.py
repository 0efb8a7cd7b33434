"""infonodes: TF-Agents agents made of a graph of small predictive nodes."""
