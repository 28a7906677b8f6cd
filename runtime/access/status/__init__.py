"""How the server is: facts from the store, told as JSON and as a page."""
