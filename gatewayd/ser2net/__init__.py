"""Configurations of ser2net, version 3 and 4, read and turned into ours."""
