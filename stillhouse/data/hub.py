"""Data sets of the Hugging Face Hub: `hf:OWNER/NAME`, with a configuration and a revision if wanted.

Only tables, archives and images are downloaded, never code; they are read as those of any folder. Downloads go to the
library's own cache, and what is there is used when the Hub is out of reach.
"""

from __future__ import annotations

import re
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from .folders.inventory import some
from .folders.tree import SUFFIXES
from .readers.shards import data_sets

PREFIX = "hf:"
FORMS = "hf:OWNER/NAME, hf:OWNER/NAME/CONFIGURATION or one of these with @REVISION"
PATIENCE = 3.0  # seconds until the Hub counts as out of reach
_TABLES = (".parquet", ".arrow")
_READ = (*_TABLES, ".csv", ".tsv", ".jsonl", ".ndjson", ".tar", *sorted(SUFFIXES))
_WORD = r"[\w.\-]+"
_NAME = re.compile(rf"({_WORD})/({_WORD})((?:/{_WORD})*)(?:@([\w./\-]+))?")


@dataclass(frozen=True)
class HubName:
    """A data set as the user names it."""

    repository: str  # OWNER/NAME
    configuration: str  # a folder, or empty
    revision: str | None

    @property
    def short(self) -> str:
        """Return the name without its owner, for the names of runs."""
        return "-".join([self.repository.partition("/")[2], *self.configuration.split("/")]).strip("-")

    def commit_of(self, folder: Path) -> str:
        """Return the commit that a folder of the cache is of."""
        return folder.parents[self.configuration.count("/")].name if self.configuration else folder.name


def parse(data: str) -> HubName:
    """Return the parts of hf:OWNER/NAME/CONFIGURATION@REVISION.

    Raises:
        ValueError: If it is written in another way.
    """
    found = _NAME.fullmatch(data.removeprefix(PREFIX))
    if found is None or ".." in data:
        raise ValueError(f"{data} is not the name of a data set on the Hub: write {FORMS}")
    return HubName(f"{found[1]}/{found[2]}", found[3].strip("/"), found[4])


def folder_of(data: str) -> tuple[Path, HubName]:
    """Return the folder that holds the files of a data set on the Hub, after a download where that is needed.

    Raises:
        ValueError: If the library is missing, there is no such data set, it holds several or nothing that is read, or
            the Hub is out of reach and the files are not in its cache.
    """
    name = parse(data)
    try:
        from huggingface_hub import constants, errors
    except ImportError as error:
        raise ValueError(f"{data} needs huggingface_hub; install it with: pip install 'stillhouse[hf]'") from error
    why = "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else _out_of_reach(constants.ENDPOINT)
    try:
        if why:
            root = _cached(name)
            _patterns(data, name, _below(root))
        else:
            root = _downloaded(data, name)
    except errors.LocalEntryNotFoundError:
        raise ValueError(
            f"{data} is not in the cache of huggingface_hub, and cannot be downloaded ({why or 'the Hub failed'}): "
            "download it where there is a connection, or pass a folder of its files as --data"
        ) from None
    except errors.GatedRepoError:
        raise ValueError(f"{data} needs its owner's permission: ask on its page, then run hf auth login") from None
    except errors.RevisionNotFoundError:
        raise ValueError(f"{name.repository} has no revision {name.revision}: see its page on the Hub") from None
    except errors.RepositoryNotFoundError:
        raise ValueError(
            f"the Hub has no data set {name.repository}, or it is private: check the name, or log in"
        ) from None
    except ValueError:
        raise
    except Exception as error:  # its HTTP library has errors of its own
        raise ValueError(f"{data} could not be downloaded ({_one_line(error)}): try again") from error
    return root / name.configuration, name


def _downloaded(data: str, name: HubName) -> Path:
    import huggingface_hub
    from huggingface_hub import constants

    endpoint = constants.ENDPOINT
    api = huggingface_hub.HfApi(endpoint=endpoint)
    files = api.list_repo_files(name.repository, repo_type="dataset", revision=name.revision)
    patterns = _patterns(data, name, files)
    return Path(
        huggingface_hub.snapshot_download(
            name.repository, repo_type="dataset", revision=name.revision, allow_patterns=patterns, endpoint=endpoint
        )
    )


def _cached(name: HubName) -> Path:
    """Return the folder of the cache; it must hold all tables, or all images if there are no tables."""
    import huggingface_hub

    within = f"{name.configuration}/" if name.configuration else ""
    root = Path()
    for suffixes in (_TABLES, _READ):
        patterns = [f"{within}*{suffix}" for suffix in suffixes]
        root = Path(
            huggingface_hub.snapshot_download(
                name.repository,
                repo_type="dataset",
                revision=name.revision,
                allow_patterns=patterns,
                local_files_only=True,
            )
        )
        if any(file.startswith(within) and file.endswith(_TABLES) for file in _below(root)):
            break
    return root


def _patterns(data: str, name: HubName, files: list[str]) -> list[str]:
    """Return the files to download.

    Raises:
        ValueError: If none is read, or they belong to several data sets.
    """
    within = f"{name.configuration}/" if name.configuration else ""
    wanted = [file for file in files if file.startswith(within) and Path(file).suffix.lower() in _READ]
    if not wanted:
        if name.configuration and (folders := sorted({file.partition("/")[0] for file in files if "/" in file})):
            raise ValueError(
                f"{name.repository} has no folder {name.configuration} with images; it has {some(folders)}"
            )
        raise ValueError(
            f"{data} holds no parquet files, tables or images (code is not run): the Hub's own conversion may be there "
            f"as {PREFIX}{name.repository}@refs/convert/parquet"
        )
    tables = [file for file in wanted if file.endswith(_TABLES)]
    if tables:
        root = Path("/")
        found = data_sets(root, [root / within / file.removeprefix(within) for file in tables])
        several = [one.config for one in found if one.by_split]
        inner = [one.removeprefix(within.rstrip("/")).strip("/") for one in several]
        if len(several) > 1:
            example = f"{PREFIX}{name.repository}/{within}{inner[0] or inner[1]}"
            raise ValueError(f"{data} holds {len(several)} data sets ({some(inner)}): name one, such as {example}")
        return tables
    return wanted


def _below(root: Path) -> list[str]:
    """Return the files below a folder."""
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def _out_of_reach(endpoint: str) -> str:
    """Return why the Hub does not answer; empty if it does. The library itself would try for a minute."""
    why = ["it does not answer"]

    def ask() -> None:
        try:
            with urllib.request.urlopen(urllib.request.Request(endpoint, method="HEAD"), timeout=PATIENCE):
                why.clear()
        except urllib.error.HTTPError as error:  # an answer all the same
            error.close()
            why.clear()
        except (OSError, ValueError) as error:
            why[:] = [_one_line(error)]

    asking = threading.Thread(target=ask, daemon=True)  # looking up a name may take longer than any timeout
    asking.start()
    asking.join(PATIENCE + 1)
    return why[0] if why else ""


def _one_line(error: Exception) -> str:
    return " ".join(str(getattr(error, "reason", None) or error).split())[:300] or type(error).__name__
