"""People by an OpenID Connect issuer: who may enter, their sign-in, and whether they still may."""
