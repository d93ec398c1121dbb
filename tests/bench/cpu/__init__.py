"""The suite `cpu`: the backend cpu beside the fastest libraries that PyPI has, operation by operation."""
