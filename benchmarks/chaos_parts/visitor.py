"""A browser without a window: it speaks to the page over HTTP as Gradio's own script does."""

import http.client
import json
import secrets
import urllib.request

ANSWER_WITHIN_S = 300


class Visitor:
    """One tab. Knows the values of the page's components and what happens behind what; what runs in
    the browser alone is not run. Leaving its block closes the tab.
    """

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/"
        self._session = secrets.token_hex(8)
        self._open("").close()
        with self._open("config") as answer:
            config = json.load(answer)
        self._events = [event for event in config["dependencies"] if event["backend_fn"]]
        self._said = {c["id"]: str(c["props"].get("value")) for c in config["components"]}
        self._values = {c["id"]: c["props"].get("value") for c in config["components"]}
        self._heart = http.client.HTTPConnection("127.0.0.1", port)
        self._heart.request("GET", f"/gradio_api/heartbeat/{self._session}")

    def open(self) -> None:
        """What the page does when it is shown."""
        self._happen(None, "load")

    def press(self, key: str) -> None:
        """Press the button whose text has this locale key."""
        (button,) = (i for i, said in self._said.items() if f'"{key}"' in said or said == key)
        self._happen(button, "click")

    def _happen(self, component: int | None, kind: str) -> None:
        for event in self._events:
            if [component, kind] in event["targets"]:
                self._run(event)

    def _run(self, event: dict) -> None:
        """Run it, then what it changed, then what is to happen behind it."""
        changed = self._ask(event)
        for each in self._events:
            kinds = {kind for i, kind in each["targets"] if i in changed}
            if "change" in kinds and each is not event:
                self._ask(each)
        for each in self._events:
            if each["trigger_after"] == event["id"]:
                self._run(each)

    def _ask(self, event: dict) -> set[int]:
        """Send one event through Gradio's queue; returns the components that look different now."""
        asked = {
            "data": [self._values.get(i) for i in event["inputs"]],
            "fn_index": event["id"],
            "session_hash": self._session,
        }
        self._open("gradio_api/queue/join", asked).close()
        with self._open(f"gradio_api/queue/data?session_hash={self._session}") as stream:
            for line in stream:
                told = json.loads(line[5:]) if line.startswith(b"data:") else {}
                if told.get("msg") == "process_completed":
                    if not told["success"]:
                        raise RuntimeError(f"{event['api_name']}: {told['output']}")
                    return self._take(event["outputs"], told["output"]["data"])
        raise RuntimeError(f"the page said nothing to {event['api_name']}")

    def _take(self, outputs: list[int], data: list) -> set[int]:
        changed = set()
        for i, value in zip(outputs, data, strict=False):
            if isinstance(value, dict) and value.get("__type__") == "update":
                if "value" not in value:
                    continue
                value = value["value"]
            if self._values.get(i) != value:
                changed.add(i)
            self._values[i] = value
        return changed

    def _open(self, path: str, data: dict | None = None) -> http.client.HTTPResponse:
        request = urllib.request.Request(
            self._url + path,
            data=json.dumps(data).encode() if data else None,
            headers={"Content-Type": "application/json"},
        )
        return urllib.request.urlopen(request, timeout=ANSWER_WITHIN_S)

    def __enter__(self) -> "Visitor":
        return self

    def __exit__(self, *_: object) -> None:
        self._heart.close()
