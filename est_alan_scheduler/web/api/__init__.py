"""The API: one table of endpoints, which requests are answered from and which the OpenAPI document describes."""
