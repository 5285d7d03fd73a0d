"""From annotations to a new version, step by step."""
