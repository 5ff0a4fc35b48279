from tests.parts.fixtures import kubernetes, quota_oracle

__all__ = ["kubernetes", "quota_oracle"]
