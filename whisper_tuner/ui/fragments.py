"""Static pieces of HTML, one function of the interface language each. The browser picks one."""

from whisper_tuner.data.mozilla import KEY_PAGE
from whisper_tuner.locales import text

TITLE = "Whisper Tuner"


def header(lang: str) -> str:
    return f"<h1>{TITLE}</h1><p>{text('tagline', lang)}</p>"


def example(lang: str) -> str:
    return f"<h3>{text('example_title', lang)}</h3><p>{text('example_text', lang)}</p>"


def own_help(lang: str) -> str:
    rows = "".join(
        f"<tr><td>visit-0{n}.wav</td><td>{text(f'own_row_{n}', lang)}</td></tr>" for n in (1, 2)
    )
    return (
        f"<p>{text('own_help', lang)}</p>"
        '<table class="sample"><thead><tr><th>file_name</th><th>transcription</th></tr></thead>'
        f"<tbody>{rows}</tbody></table><p>{text('own_txt', lang)}</p>"
        f"<p>{text('own_timed', lang)}</p>"
    )


def archive_help(lang: str) -> str:
    return f"<p>{text('archive_help', lang)}</p>"


def mozilla_help(lang: str) -> str:
    link = '<a href="{0}" target="_blank" rel="noopener noreferrer">{0}</a>'
    return f"<p>{text('mozilla_help', lang, page=link.format(KEY_PAGE))}</p>"


def hub_help(lang: str) -> str:
    return f"<p>{text('hub_help', lang)}</p>"


def record_help(lang: str) -> str:
    return f"<p>{text('record_help', lang)}</p>"


def sheet_delete(lang: str) -> str:
    return f"<p>{text('sheet_delete_text', lang)}</p>"


def listen(lang: str) -> str:
    return f"<p>{text('listen_text', lang)}</p>"


def push_data(lang: str) -> str:
    return f"<p>{text('push_data_text', lang)}</p>"


def restore(lang: str) -> str:
    return f"<p>{text('restore_text', lang)}</p>"


def delete(lang: str) -> str:
    return f"<p>{text('delete_text', lang)}</p>"


def offline(lang: str) -> str:
    return f'<p class="sentence note">{text("offline", lang)}</p>'


def offline_none(lang: str) -> str:
    return f'<p class="sentence problem" role="alert">{text("offline_none", lang)}</p>'


def try_out(lang: str) -> str:
    return f"<h3>{text('try_title', lang)}</h3><p>{text('try_text', lang)}</p>"


def download(lang: str) -> str:
    return f"<h3>{text('download_title', lang)}</h3><p>{text('download_text', lang)}</p>"


def push(lang: str) -> str:
    return f"<h3>{text('push_title', lang)}</h3><p>{text('push_text', lang)}</p>"


def local_login(lang: str) -> str:
    return f'<p class="sentence note">{text("local_login", lang)}</p>'


def use(lang: str) -> str:
    return f"<h3>{text('use_title', lang)}</h3><p>{text('use_text', lang)}</p>"


ALL = (
    header,
    example,
    own_help,
    archive_help,
    mozilla_help,
    hub_help,
    record_help,
    sheet_delete,
    listen,
    push_data,
    restore,
    delete,
    offline,
    offline_none,
    try_out,
    download,
    push,
    local_login,
    use,
)
