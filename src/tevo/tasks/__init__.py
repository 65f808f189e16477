"""The roles, and the co-evolution that lets them teach each other."""
