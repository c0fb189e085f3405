"""Find the quotes that mean what you ask for.

The public names are loaded when they are first used; importing the package imports neither numpy nor a model.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # as in typing, which takes longer to import than all else here
if TYPE_CHECKING:
    from quotefind.conflicts.groups import ConflictGroup, conflict_groups
    from quotefind.encoders import Encoder, open_encoder
    from quotefind.errors import IndexUnusableError, ModelError, QuotefindError, SourceError, UsageError
    from quotefind.export.exporting import export_quotes
    from quotefind.index.filters import Filter
    from quotefind.index.interface import Index
    from quotefind.index.sources import Source
    from quotefind.map.layout import make_map
    from quotefind.map.page import draw_page
    from quotefind.map.picture import draw_picture
    from quotefind.map.quote_map import QuoteMap
    from quotefind.pairs import closest_pairs, nearest_quotes, score_pairs, similarities
    from quotefind.records import Hit, Pair, Quote
    from quotefind.search import FindOptions, find
    from quotefind.stores import open_index, open_to_write
    from quotefind.tagging import Proposal, ProposedTag, propose_tags, read_themes
    from quotefind.today import quote_of_the_day
    from quotefind.topics.finding import Topics, find_topics
    from quotefind.topics.topic import Topic
    from quotefind.training.evaluation import evaluate, systems_of
    from quotefind.training.fine_tuning import train
    from quotefind.training.judgements import from_tags
    from quotefind.training.pairs_file import read_pairs
    from quotefind.training.recipe import Recipe

__version__ = "0.1.0"

_HOMES = {
    "conflicts.groups": ("ConflictGroup", "conflict_groups"),
    "encoders": ("Encoder", "open_encoder"),
    "errors": ("IndexUnusableError", "ModelError", "QuotefindError", "SourceError", "UsageError"),
    "export.exporting": ("export_quotes",),
    "index.filters": ("Filter",),
    "index.interface": ("Index",),
    "index.sources": ("Source",),
    "map.layout": ("make_map",),
    "map.page": ("draw_page",),
    "map.picture": ("draw_picture",),
    "map.quote_map": ("QuoteMap",),
    "pairs": ("closest_pairs", "nearest_quotes", "score_pairs", "similarities"),
    "records": ("Hit", "Pair", "Quote"),
    "search": ("FindOptions", "find"),
    "stores": ("open_index", "open_to_write"),
    "tagging": ("Proposal", "ProposedTag", "propose_tags", "read_themes"),
    "today": ("quote_of_the_day",),
    "topics.finding": ("Topics", "find_topics"),
    "topics.topic": ("Topic",),
    "training.evaluation": ("evaluate", "systems_of"),
    "training.fine_tuning": ("train",),
    "training.judgements": ("from_tags",),
    "training.pairs_file": ("read_pairs",),
    "training.recipe": ("Recipe",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "ConflictGroup",
    "Encoder",
    "Filter",
    "FindOptions",
    "Hit",
    "Index",
    "IndexUnusableError",
    "ModelError",
    "Pair",
    "Proposal",
    "ProposedTag",
    "Quote",
    "QuoteMap",
    "QuotefindError",
    "Recipe",
    "Source",
    "SourceError",
    "Topic",
    "Topics",
    "UsageError",
    "closest_pairs",
    "conflict_groups",
    "draw_page",
    "draw_picture",
    "evaluate",
    "export_quotes",
    "find",
    "find_topics",
    "from_tags",
    "make_map",
    "nearest_quotes",
    "open_encoder",
    "open_index",
    "open_to_write",
    "propose_tags",
    "quote_of_the_day",
    "read_pairs",
    "read_themes",
    "score_pairs",
    "similarities",
    "systems_of",
    "train",
]


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'quotefind' has no attribute {name!r}")
    return getattr(import_module(f"quotefind.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
