"""The contract's messages, made from proto/agibridge/v1 by `make generate`; private to this library."""
