"""Com Port Control (RFC 2217): the codec, and the decisions of an access server."""
