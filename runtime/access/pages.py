"""The pages of signing in and out: self-contained, and they work without their one script."""

import base64
import hashlib
import re
from dataclasses import dataclass
from html import escape
from importlib.metadata import version
from urllib.parse import quote, urlsplit

SIGN_IN, SIGN_OUT = "/trackstack/sign-in", "/trackstack/sign-out"
ACCOUNT, CLIENT = "/trackstack/account", "/trackstack/client"
OIDC = "/trackstack/oidc/"
OIDC_BEGIN, OIDC_END, OIDC_LOGOUT = f"{OIDC}begin", f"{OIDC}end", f"{OIDC}logout"

# What stands behind # in an address never comes to the server, and MLflow's page says there what it
# shows: so the sign-in page itself adds it to where people go once they are signed in.
_KEEP_FRAGMENT = (
    "const h=location.hash,n=document.getElementById('next'),o=document.getElementById('oidc');"
    "if(h&&!n.value.includes('#')){n.value+=h;if(o)o.href+=encodeURIComponent(h)}"
)
_SCRIPT = base64.b64encode(hashlib.sha256(_KEEP_FRAGMENT.encode()).digest()).decode()

HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; "
    f"script-src 'sha256-{_SCRIPT}'; "
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
:root {{ color-scheme: light dark; --back: #f4f6f8; --text: #11171c; --card: #fff; --line: #d6dde3;
         --edge: #8396a5; --soft: #5f7281; --act: #0e538b; --on: #fff; --wrong: #c82d4c }}
@media (prefers-color-scheme: dark) {{
  :root {{ --back: #11171c; --text: #e8ecf0; --card: #1f272d; --line: #37444f; --edge: #8396a5;
           --soft: #a6b3bd; --act: #8acaff; --on: #11171c; --wrong: #ff9aa8 }}
}}
body {{ font: 16px/1.5 system-ui, sans-serif; background: var(--back); color: var(--text);
       display: grid; place-items: center; min-height: 100vh; margin: 0 }}
main {{ background: var(--card); padding: 2rem; border: 1px solid var(--line); border-radius: 8px;
       width: min({width}, 90vw); box-sizing: border-box }}
h1 {{ font-size: 1.25rem; margin: 0 0 1rem }}
h2 {{ font-size: 1rem; margin: 2rem 0 .5rem }}
label {{ display: block; margin: .5rem 0 .25rem }}
input, select {{ width: 100%; box-sizing: border-box; font: inherit; padding: .5rem;
        border: 1px solid var(--edge); border-radius: 4px; background: var(--card);
        color: var(--text) }}
a {{ color: var(--act) }}
button, a.button {{ display: block; margin-top: 1rem; width: 100%; box-sizing: border-box;
         font: inherit; padding: .5rem; border: 0; border-radius: 4px; background: var(--act);
         color: var(--on); cursor: pointer; text-align: center; text-decoration: none }}
button.small {{ margin: 0; width: auto; padding: .125rem .5rem; font-size: .875rem }}
details {{ margin-top: 1rem }}
p {{ margin: 1rem 0 0; color: var(--soft); font-size: .875rem }}
p.wrong {{ color: var(--wrong); margin: 0 0 1rem }}
pre {{ overflow-x: auto; padding: .75rem; border: 1px solid var(--line); border-radius: 4px;
      font-size: .875rem; margin: .5rem 0 0 }}
.table {{ overflow-x: auto }}
table {{ border-collapse: collapse; width: 100%; font-size: .875rem }}
th, td {{ text-align: left; padding: .375rem .75rem .375rem 0; border-top: 1px solid var(--line) }}
.code {{ font: 600 1.5rem/1.5 ui-monospace, monospace; letter-spacing: .1em; color: var(--text) }}
</style>
<main>
<h1>{title}</h1>
{content}</main>
</html>
"""

_SIGN_IN_FORM = """<form method="post" action="{action}">
{message}<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required{focus}>
<input type="hidden" id="next" name="next" value="{target}">
<button>Sign in</button>
<p>The token is {token_is}what you were given.
To sign out, open <code>{account}</code>.</p>
</form>
"""


def page(title: str, content: str, *, wide: bool = False) -> bytes:
    """A page of its own, as UTF-8; ``content`` is HTML."""
    width = "56rem" if wide else "22rem"
    return _PAGE.format(title=escape(title), content=content, width=width).encode()


@dataclass(frozen=True)
class Site:
    """What the pages say of the server that they are of."""

    prefix: str
    public_url: str = ""
    stack: str | None = None
    token_is: str = ""
    """Where the server's owner finds its token, with commands in backticks."""
    has_oidc: bool = False


def wheel_name() -> str:
    """The file of the client part that this server offers."""
    return f"trackstack-{version('trackstack')}-py3-none-any.whl"


def install(public_url: str) -> str:
    """The line that installs it."""
    return f"pip install {public_url}{CLIENT}/{wheel_name()}"


def paste(public_url: str) -> str:
    """The lines that bring somebody from a signed-in browser to a logged run."""
    return (
        f"{install(public_url)}\n"
        f"trackstack login {public_url}\n"
        'eval "$(trackstack env)"\n'
        "python -c 'import mlflow; mlflow.log_metric(\"auc\", 0.93)'"
    )


def sign_in_page(site: Site, target: str, *, wrong: bool) -> bytes:
    """The page as UTF-8; ``target`` is where to go once signed in."""
    prefix = site.prefix
    message = '<p class="wrong" role="alert">This token is not valid.</p>\n' if wrong else ""
    form = _SIGN_IN_FORM.format(
        action=escape(prefix + SIGN_IN),
        account=escape(prefix + ACCOUNT),
        message=message,
        target=escape(target),
        token_is=_with_code(f"{site.token_is}, or ") if site.token_is else "",
        focus="" if site.has_oidc else " autofocus",
    )
    if site.has_oidc:
        begin = f"{prefix}{OIDC_BEGIN}?next={quote(target, safe='')}"
        link = (
            f'<a class="button" id="oidc" href="{escape(begin)}">'
            "Sign in with your organization</a>\n"
        )
        opened = " open" if wrong else ""
        form = f"{link}<details{opened}><summary>Sign in with a token</summary>\n{form}</details>\n"
    named = f"<p>The stack {escape(site.stack)}</p>\n" if site.stack else ""
    lines = (
        "<details><summary>From Python, or a terminal</summary>\n"
        f"<pre>{escape(paste(site.public_url))}</pre></details>\n"
    )
    # Without a break: the policy names the script by its hash.
    script = f"<script>{_KEEP_FRAGMENT}</script>\n"
    return page("Sign in to MLflow", f"{named}{form}{lines}{script}")


def _with_code(text: str) -> str:
    """HTML of a text with commands in backticks."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", escape(text))


def message_page(prefix: str, title: str, message: str) -> bytes:
    """A page that says one thing and leads back."""
    content = (
        f'<p class="wrong" role="alert">{escape(message)}</p>\n'
        f'<p><a href="{escape(prefix)}/">Back</a></p>\n'
    )
    return page(title, content)


def leaving_page(target: str) -> bytes:
    """A page that leads on by itself."""
    to = escape(target)
    content = (
        f'<meta http-equiv="refresh" content="0; url={to}">\n'
        f'<p><a href="{to}">Leave the organization\'s sign-in too</a></p>\n'
    )
    return page("Signed out of MLflow", content)


def local_target(target: str, prefix: str) -> str:
    """A path of this server, below its prefix; anything else would be an open redirect."""
    try:
        parts = urlsplit(target)
    except ValueError:
        return f"{prefix}/"
    is_path = target.startswith(f"{prefix}/") and not target.startswith(("//", "/\\"))
    safe = is_path and not parts.scheme and not parts.netloc and target.isprintable()
    return target if safe else f"{prefix}/"
