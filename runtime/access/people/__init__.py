"""What people do for themselves: tokens of their own, the account page, sign-in from a laptop."""
