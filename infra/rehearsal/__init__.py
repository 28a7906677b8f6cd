"""`make rehearse STACK=…`: a stack from up to down with no account, on rehearsal clouds."""
