"""Keeping a store in shape: moving it to another database, shedding what nothing needs any more. Must never import
reviewing, nor what stands above it."""
