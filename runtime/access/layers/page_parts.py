"""What is added to MLflow's own page: texts of HTML. Pure."""

from dataclasses import dataclass
from html import escape

from runtime.access import pages
from runtime.access.credentials import Person
from runtime.tokens.store import Role, Token

# What MLflow's page keeps in the browser, by its keys of 3.17: that its notice of usage data was
# closed, which it shows also where none are collected; that the assistant was opened once, as it is
# at the first visit; and that its panel is closed. Read when the page's script begins.
_NO_TELEMETRY = {"mlflow.telemetry.info.alert.dismissed_v1": "true"}
_NO_ASSISTANT = {
    "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": "true",
    "mlflow.assistant.panelOpen_v1": "false",
}
# Its buttons, of which the one among the pages of an experiment has no name of its own. On other
# hosts than this machine the page leaves them out by itself once the server says no.
_HIDDEN = "[data-assistant-ui],div:has(>div[role=button][aria-pressed])"

_ADMINS = """<script>(() => {
const note = document.createElement("div"), ours = /^#\\/(gateway|settings\\/(webhooks|llm-))/;
note.setAttribute("role", "status");
note.textContent = "What this page sets is an administrator's: you have the role ROLE.";
note.style.cssText = "position:fixed;z-index:9999;bottom:0;left:0;right:0;padding:8px 16px;"
  + "background:#fff3cd;color:#4d3800;border-top:1px solid #d6b656;font:14px system-ui,sans-serif";
const show = () => { note.hidden = !ours.test(location.hash);
  note.style.display = note.hidden ? "none" : "block"; };
document.body.append(note); show(); setInterval(show, 300);
})()</script>"""

_WHO = """<style>
#trackstack {{ position: fixed; z-index: 9998; right: 72px; bottom: 0; font: 12px/1.5 system-ui,
  sans-serif; color: #11171c; background: #f4f6f8; border: 1px solid #8396a5; border-bottom: 0;
  border-radius: 4px 4px 0 0; padding: 2px 10px }}
#trackstack summary {{ cursor: pointer; max-width: 16rem; overflow: hidden; white-space: nowrap;
  text-overflow: ellipsis }}
#trackstack a, #trackstack button {{ display: block; width: 100%; padding: 4px 0; font: inherit;
  color: #0e538b; background: none; border: 0; text-align: left; cursor: pointer;
  text-decoration: none }}
#trackstack a:hover, #trackstack button:hover {{ text-decoration: underline }}
@media (prefers-color-scheme: dark) {{
  #trackstack {{ color: #e8ecf0; background: #1f272d }}
  #trackstack a, #trackstack button {{ color: #8acaff }}
}}
</style>
<details id="trackstack"><summary>{who}</summary>
<a href="{status}">How the server is</a>
<a href="{account}">Tokens</a>
<form method="post" action="{sign_out}"><button>Sign out</button></form>
</details>"""


@dataclass(frozen=True)
class PageParts:
    """``stack`` is the name of the stack, where it has one; the others say what MLflow's page has
    that is of use here.
    """

    prefix: str
    stack: str | None = None
    has_telemetry: bool = False
    has_assistant: bool = False

    def head(self) -> str:
        """What comes before the page's own script."""
        kept = {} if self.has_telemetry else dict(_NO_TELEMETRY)
        kept |= {} if self.has_assistant else _NO_ASSISTANT
        words = "".join(f'localStorage.setItem("{key}","{kept[key]}");' for key in kept)
        script = f"<script>try{{{words}}}catch(e){{}}</script>" if words else ""
        hidden = "" if self.has_assistant else f"<style>{_HIDDEN}{{display:none!important}}</style>"
        return script + hidden

    def foot(self, caller: Token | Person) -> str:
        """What comes at the end: who is signed in and where they go from here, in small; and for
        who is no administrator what says so where only those set something.
        """
        owner = caller.owner if isinstance(caller, Token) else None
        name, at = owner.name if owner else caller.name, f" at {self.stack}" if self.stack else ""
        who = _WHO.format(
            who=escape(f"{name}{at}"),
            status=escape(f"{self.prefix}/trackstack/"),
            account=escape(self.prefix + pages.ACCOUNT),
            sign_out=escape(self.prefix + pages.SIGN_OUT),
        )
        role = caller.role
        return who + ("" if role is Role.ADMIN else _ADMINS.replace("ROLE", role.name.lower()))
