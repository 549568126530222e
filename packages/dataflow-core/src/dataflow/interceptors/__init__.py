"""The interceptors of the core: soft deletion and versions, by the same door as everybody's."""
