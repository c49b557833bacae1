"""Whose Hugging Face account an action is for. A token stays in this process's memory."""

import os

import gradio as gr

from whisper_tuner.errors import InputError
from whisper_tuner.publish import hub
from whisper_tuner.ui import fragments
from whisper_tuner.ui.language import label, static_html

LOOPBACK_NAMES = ("", "127.0.0.1", "localhost", "::1")


def has_login_button() -> bool:
    """On a Space that offers sign-in. Elsewhere the button would keep the page from starting."""
    return "SPACE_ID" in os.environ and "OAUTH_CLIENT_ID" in os.environ


def own_token() -> str | None:
    """The token of this computer's own sign-in, only where nobody else can open the page."""
    is_shared = (
        "SPACE_ID" in os.environ
        or "GRADIO_SHARE" in os.environ
        or os.environ.get("GRADIO_SERVER_NAME", "") not in LOOPBACK_NAMES
    )
    return None if is_shared else hub.local_token()


def build_sign_in(info: str, name: str = "page_token") -> gr.Textbox:
    """One way to sign in: the Space's button, this computer's own, or a token typed in."""
    is_local = own_token() is not None
    if has_login_button():
        gr.LoginButton(label("page_login"))
    elif is_local:
        gr.HTML(static_html(fragments.local_login))
    return gr.Textbox(
        "",
        label=label(name),
        info=label(info),
        type="password",
        visible=not is_local and not has_login_button(),
    )


def require_token(oauth: gr.OAuthToken | None, typed: str) -> str:
    """Raises InputError when nobody is signed in."""
    token = oauth.token if oauth else own_token() or typed.strip()
    if not token:
        raise InputError("push_not_logged_in")
    return token


def optional_token(oauth: gr.OAuthToken | None, typed: str) -> str:
    """The same for what may be public; "" when nobody is signed in."""
    return oauth.token if oauth else own_token() or typed.strip()
