from tests.parts.fixtures import quota_oracle

__all__ = ["quota_oracle"]
