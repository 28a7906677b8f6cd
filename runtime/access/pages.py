"""The pages of signing in and out: self-contained, no script."""

import re
from html import escape
from urllib.parse import quote, urlsplit

SIGN_IN, SIGN_OUT = "/trackstack/sign-in", "/trackstack/sign-out"
ACCOUNT = "/trackstack/account"
OIDC = "/trackstack/oidc/"
OIDC_BEGIN, OIDC_END, OIDC_LOGOUT = f"{OIDC}begin", f"{OIDC}end", f"{OIDC}logout"

HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
}

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} - MLflow</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; background: #f4f6f8; color: #11171c;
       display: grid; place-items: center; min-height: 100vh; margin: 0 }}
main {{ background: #fff; padding: 2rem; border: 1px solid #d6dde3; border-radius: 8px;
       width: min(22rem, 90vw); box-sizing: border-box }}
h1 {{ font-size: 1.25rem; margin: 0 0 1rem }}
label {{ display: block; margin-bottom: .25rem }}
input {{ width: 100%; box-sizing: border-box; font: inherit; padding: .5rem;
        border: 1px solid #8396a5; border-radius: 4px }}
button, a.button {{ display: block; margin-top: 1rem; width: 100%; box-sizing: border-box;
         font: inherit; padding: .5rem; border: 0; border-radius: 4px; background: #0e538b;
         color: #fff; cursor: pointer; text-align: center; text-decoration: none }}
details {{ margin-top: 1rem }}
p {{ margin: 1rem 0 0; color: #5f7281; font-size: .875rem }}
p.wrong {{ color: #c82d4c; margin: 0 0 1rem }}
</style>
<main>
<h1>{title}</h1>
{content}</main>
</html>
"""

_SIGN_IN_FORM = """<form method="post" action="{action}">
{message}<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required{focus}>
<input type="hidden" name="next" value="{target}">
<button>Sign in</button>
<p>The token is {token_is}what you were given.
To sign out, open <code>{account}</code>.</p>
</form>
"""


def _page(title: str, content: str) -> bytes:
    return _PAGE.format(title=escape(title), content=content).encode()


def sign_in_page(prefix: str, target: str, token_is: str, *, wrong: bool, has_oidc: bool) -> bytes:
    """The page as UTF-8; ``target`` is the path to go to once signed in, ``token_is`` where the
    server's owner finds its token, with commands in backticks.
    """
    message = '<p class="wrong" role="alert">This token is not valid.</p>\n' if wrong else ""
    form = _SIGN_IN_FORM.format(
        action=escape(prefix + SIGN_IN),
        account=escape(prefix + ACCOUNT),
        message=message,
        target=escape(target),
        token_is=_with_code(f"{token_is}, or ") if token_is else "",
        focus="" if has_oidc else " autofocus",
    )
    if has_oidc:
        begin = f"{prefix}{OIDC_BEGIN}?next={quote(target, safe='')}"
        link = f'<a class="button" href="{escape(begin)}">Sign in with your organization</a>\n'
        opened = " open" if wrong else ""
        form = f"{link}<details{opened}><summary>Sign in with a token</summary>\n{form}</details>\n"
    return _page("Sign in to MLflow", form)


def _with_code(text: str) -> str:
    """HTML of a text with commands in backticks."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", escape(text))


def account_page(prefix: str, name: str, role: str) -> bytes:
    """Who is signed in, and the way out."""
    action = escape(prefix + SIGN_OUT)
    content = (
        f"<p>{escape(name)}, {escape(role)}</p>\n"
        f'<form method="post" action="{action}"><button>Sign out</button></form>\n'
        f'<p><a href="{escape(prefix)}/">Back to MLflow</a></p>\n'
    )
    return _page("Signed in to MLflow", content)


def message_page(prefix: str, title: str, message: str) -> bytes:
    """A page that says one thing and leads back."""
    content = (
        f'<p class="wrong" role="alert">{escape(message)}</p>\n'
        f'<p><a href="{escape(prefix)}/">Back</a></p>\n'
    )
    return _page(title, content)


def leaving_page(target: str) -> bytes:
    """A page that leads on by itself."""
    to = escape(target)
    content = (
        f'<meta http-equiv="refresh" content="0; url={to}">\n'
        f'<p><a href="{to}">Leave the organization\'s sign-in too</a></p>\n'
    )
    return _page("Signed out of MLflow", content)


def local_target(target: str, prefix: str) -> str:
    """A path of this server, below its prefix; anything else would be an open redirect."""
    try:
        parts = urlsplit(target)
    except ValueError:
        return f"{prefix}/"
    is_path = target.startswith(f"{prefix}/") and not target.startswith(("//", "/\\"))
    safe = is_path and not parts.scheme and not parts.netloc and target.isprintable()
    return target if safe else f"{prefix}/"
