"""Find the quotes that mean what you ask for.

The public names are loaded when they are first used; importing the package imports neither numpy nor a model.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # as in typing, which takes longer to import than everything else here
if TYPE_CHECKING:
    from quotefind.collection import Collection as Collection
    from quotefind.collection import Hits as Hits
    from quotefind.collection import open as open  # noqa: A004 - as gzip.open
    from quotefind.conflicts.groups import ConflictGroup as ConflictGroup
    from quotefind.conflicts.groups import conflict_groups as conflict_groups
    from quotefind.encoders import Encoder as Encoder
    from quotefind.encoders import open_encoder as open_encoder
    from quotefind.errors import IndexUnusableError as IndexUnusableError
    from quotefind.errors import ModelError as ModelError
    from quotefind.errors import QuotefindError as QuotefindError
    from quotefind.errors import SourceError as SourceError
    from quotefind.errors import UsageError as UsageError
    from quotefind.export.exporting import export_quotes as export_quotes
    from quotefind.index.filters import Filter as Filter
    from quotefind.index.interface import Index as Index
    from quotefind.index.sources import Source as Source
    from quotefind.map.layout import make_map as make_map
    from quotefind.map.page import draw_page as draw_page
    from quotefind.map.picture import draw_picture as draw_picture
    from quotefind.map.quote_map import QuoteMap as QuoteMap
    from quotefind.pairs import closest_pairs as closest_pairs
    from quotefind.pairs import nearest_quotes as nearest_quotes
    from quotefind.pairs import score_pairs as score_pairs
    from quotefind.pairs import similarities as similarities
    from quotefind.records import Hit as Hit
    from quotefind.records import Pair as Pair
    from quotefind.records import Quote as Quote
    from quotefind.search import FindOptions as FindOptions
    from quotefind.search import find as find
    from quotefind.stores import open_index as open_index
    from quotefind.stores import open_to_write as open_to_write
    from quotefind.stores import verify as verify
    from quotefind.tagging import Proposal as Proposal
    from quotefind.tagging import ProposedTag as ProposedTag
    from quotefind.tagging import propose_tags as propose_tags
    from quotefind.tagging import read_tags as read_tags
    from quotefind.today import quote_of_the_day as quote_of_the_day
    from quotefind.topics.finding import Topics as Topics
    from quotefind.topics.finding import find_topics as find_topics
    from quotefind.topics.topic import Topic as Topic
    from quotefind.training.evaluation import evaluate as evaluate
    from quotefind.training.evaluation import systems_of as systems_of
    from quotefind.training.fine_tuning import train as train
    from quotefind.training.judgements import from_tags as from_tags
    from quotefind.training.pairs_file import read_pairs as read_pairs
    from quotefind.training.recipe import Recipe as Recipe

__version__ = "0.1.0"

_NAMES_OF = {
    "collection": ("Collection", "Hits", "open"),
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
    "stores": ("open_index", "open_to_write", "verify"),
    "tagging": ("Proposal", "ProposedTag", "propose_tags", "read_tags"),
    "today": ("quote_of_the_day",),
    "topics.finding": ("Topics", "find_topics"),
    "topics.topic": ("Topic",),
    "training.evaluation": ("evaluate", "systems_of"),
    "training.fine_tuning": ("train",),
    "training.judgements": ("from_tags",),
    "training.pairs_file": ("read_pairs",),
    "training.recipe": ("Recipe",),
}
_HOME_OF = {name: home for home, names in _NAMES_OF.items() for name in names}
__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'quotefind' has no attribute {name!r}")
    return getattr(import_module(f"quotefind.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
