"""The sign-in page: self-contained, no script."""

from html import escape

SIGN_IN, SIGN_OUT = "/trackstack/sign-in", "/trackstack/sign-out"

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in - MLflow</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; background: #f4f6f8; color: #11171c;
       display: grid; place-items: center; min-height: 100vh; margin: 0 }}
form {{ background: #fff; padding: 2rem; border: 1px solid #d6dde3; border-radius: 8px;
       width: min(22rem, 90vw); box-sizing: border-box }}
h1 {{ font-size: 1.25rem; margin: 0 0 1rem }}
label {{ display: block; margin-bottom: .25rem }}
input {{ width: 100%; box-sizing: border-box; font: inherit; padding: .5rem;
        border: 1px solid #8396a5; border-radius: 4px }}
button {{ margin-top: 1rem; width: 100%; font: inherit; padding: .5rem; border: 0;
         border-radius: 4px; background: #0e538b; color: #fff; cursor: pointer }}
p {{ margin: 1rem 0 0; color: #5f7281; font-size: .875rem }}
p.wrong {{ color: #c82d4c; margin: 0 0 1rem }}
</style>
<form method="post" action="{action}">
<h1>Sign in to MLflow</h1>
{message}<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<input type="hidden" name="next" value="{target}">
<button>Sign in</button>
<p>The token is what <code>make token</code> prints, or what you were given.</p>
</form>
</html>
"""


def sign_in_page(prefix: str, target: str, wrong: bool) -> bytes:
    """The page as UTF-8; ``target`` is the path to go to once signed in."""
    message = '<p class="wrong" role="alert">This token is not valid.</p>\n' if wrong else ""
    page = _PAGE.format(action=escape(prefix + SIGN_IN), message=message, target=escape(target))
    return page.encode()
