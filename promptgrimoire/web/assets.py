"""Static files: those of the client from memory under addresses that name their content, those of apps from disk.

The hash in `/static/<hash>/` covers the whole tree, so that modules may import each other by relative paths and
everything may be cached for ever. Never serves anything outside its folders.
"""

from __future__ import annotations

import gzip
import mimetypes
import re
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from promptgrimoire.errors import NotFound
from promptgrimoire.web.seam import Experiments

IMMUTABLE = "public, max-age=31536000, immutable"
_COMMENTED = (".js", ".css")
_COMMENT = re.compile(rb"^[ \t]*(?://[^\n]*|/\*(?:(?!\*/).)*\*/[ \t]*)\n", re.DOTALL | re.MULTILINE)
WORTH_COMPRESSING = 256  # bytes; below, the header costs more than it saves

# Not asked of the operating system: its table differs between machines, and a module of the wrong type does not run.
MIME_TYPES = MappingProxyType(
    {
        ".js": "text/javascript; charset=utf-8",
        ".mjs": "text/javascript; charset=utf-8",
        ".css": "text/css; charset=utf-8",
        ".html": "text/html; charset=utf-8",
        ".txt": "text/plain; charset=utf-8",
        ".md": "text/markdown; charset=utf-8",
        ".json": "application/json",
        ".map": "application/json",
        ".svg": "image/svg+xml",
        ".png": "image/png",
        ".jpg": "image/jpeg",
        ".jpeg": "image/jpeg",
        ".gif": "image/gif",
        ".webp": "image/webp",
        ".ico": "image/x-icon",
        ".woff2": "font/woff2",
        ".wasm": "application/wasm",
        ".mp3": "audio/mpeg",
        ".mp4": "video/mp4",
        ".webm": "video/webm",
        ".pdf": "application/pdf",
        ".csv": "text/csv; charset=utf-8",
    }
)


def static_folder() -> Path:
    """The client's files: inside the installed package, or beside it in a source checkout."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "static", package.parent / "static"):
        if folder.is_dir():
            return folder
    raise NotFound(f"expected the folder 'static' in {package} or beside it; is promptgrimoire installed completely?")


def mime_type(path: str) -> str:
    suffix = Path(path).suffix.lower()
    return MIME_TYPES.get(suffix) or mimetypes.guess_type(path)[0] or "application/octet-stream"


class Assets:
    """The client's files in memory, compressed once, at start."""

    def __init__(self, folder: Path) -> None:
        whole = sha256()
        files: dict[str, bytes] = {}
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder)
            if path.is_file() and not any(part.startswith(".") for part in name.parts):
                content = path.read_bytes()
                files[name.as_posix()] = without_comments(content) if path.suffix in _COMMENTED else content
        for key, content in files.items():
            whole.update(f"{key}\n{len(content)}\n".encode())
            whole.update(content)
        self.hash = whole.hexdigest()[:16]
        self.prefix = f"/static/{self.hash}/"
        self._texts = files
        self._files = {
            key: (_response(key, content, False), _response(key, content, True)) for key, content in files.items()
        }

    def url(self, path: str) -> str:
        """The address of a file. Raises NotFound where there is no such file."""
        if path not in self._files:
            raise NotFound(f"no static file {path!r}; there are {', '.join(self._files) or 'none'}")
        return self.prefix + path

    def paths(self) -> list[str]:
        return list(self._files)

    def text(self, path: str) -> str:
        """A file's text, for what stands inside a page. Raises KeyError where there is no such file."""
        return self._texts[path].decode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve `/static/{hash}/{path}`."""
        request = Request(scope)
        found = self._files.get(request.path_params["path"]) if request.path_params["hash"] == self.hash else None
        if found is None:
            raise HTTPException(404)
        compressed = "gzip" in request.headers.get("accept-encoding", "")
        await found[compressed](scope, receive, send)


def without_comments(source: bytes) -> bytes:
    """A script or stylesheet of ours without the comments that have their lines to themselves.

    People read those in the repository; participants need not wait for them. Every other line keeps its number.
    """
    return _COMMENT.sub(lambda found: b"\n" * found[0].count(b"\n"), source)


def _response(path: str, content: bytes, compressed: bool) -> Response:
    headers = {"cache-control": IMMUTABLE, "vary": "accept-encoding", "content-type": mime_type(path)}
    if compressed and len(content) >= WORTH_COMPRESSING and _compressible(headers["content-type"]):
        smaller = gzip.compress(content, 9, mtime=0)
        if len(smaller) < len(content):
            headers["content-encoding"] = "gzip"
            content = smaller
    return Response(content, headers=headers)


def _compressible(kind: str) -> bool:
    return kind.startswith("text/") or kind in ("application/json", "image/svg+xml", "application/wasm")


class AppStatic:
    """Serves `/app-static/{app}/{path}`: the folder `static` or `_static` of an experiment.

    Revalidated by its ETag on each use, or kept for ever where the address carries a version (`?v=`).
    """

    def __init__(self, experiments: Experiments) -> None:
        self._experiments = experiments
        self._folders: dict[Path, StaticFiles] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        app, path = request.path_params["app"], request.path_params["path"]
        try:
            folder = self._experiments.get(app).static_folder
        except NotFound:
            folder = None
        if folder is None or "\0" in path or any(part.startswith(".") for part in path.split("/")):
            raise HTTPException(404)
        files = self._folders.get(folder)
        if files is None:
            files = self._folders[folder] = StaticFiles(directory=folder, check_dir=False)
        response = await files.get_response(path, scope)
        response.headers["cache-control"] = IMMUTABLE if "v" in request.query_params else "no-cache"
        if response.status_code == 200:
            response.headers["content-type"] = mime_type(path)
        await response(scope, receive, send)
