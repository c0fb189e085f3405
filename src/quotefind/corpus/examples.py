"""An example of each format, as short as possible."""

from __future__ import annotations

from collections.abc import Mapping

# The content of such a file; if that is not text, the command that reads one.
EXAMPLES: Mapping[str, str] = {
    "txt": "Know thyself. — Thales, Sayings",
    "fortune": "Know thyself.\n\t\t-- Thales\n%\nNothing in excess.\n\t\t-- Solon\n%",
    "tfortune": "Know thyself.\n\t\t-- Thales\n---- wisdom,the self",
    "jotquote": "Know thyself. | Thales | Sayings | wisdom, self",
    "csv": 'quote,author,work,year,tags,note\n"Know thyself.",Thales,Sayings,-600,"wisdom; self",for the talk',
    "tsv": "quote\tauthor\twork\nKnow thyself.\tThales\tSayings",
    "readwise": "Highlight,Book Title,Book Author,Amazon Book ID,Note,Color,Tags,Location Type,Location,Highlighted at,"
    'Document tags\nKnow thyself.,Sayings,Thales,,for the talk,yellow,"wisdom, self",page,1,2019-03-03 10:15:33,books',
    "bookcision": '{"asin": "B000000000", "title": "Sayings", "authors": "Thales", "highlights": '
    '[{"text": "Know thyself.", "isNoteOnly": false, "location": {"value": 2}, "note": "for the talk"}]}',
    "foliate": '{"metadata": {"title": "Sayings", "creator": "Thales"}, "annotations": [{"value": "epubcfi(/6/4!/4)", '
    '"text": "Know thyself.", "note": "for the talk", "created": "2019-03-03T10:15:33Z"}]}',
    "readest": '{"$format": "readest-annotations", "book": {"title": "Sayings", "author": "Thales"}, "annotations": '
    '[{"type": "annotation", "text": "Know thyself.", "note": "for the talk", "createdAt": 1551608133000}]}',
    "calibre": '{"type": "calibre_highlights", "version": 1, "highlights": [{"type": "highlight", "highlighted_text": '
    '"Know thyself.", "notes": "for the talk", "timestamp": "2019-03-03T10:15:33Z", "toc_family_titles": ["Part 1"]}]}',
    "json": '{"quotes": [{"text": "Know thyself.", "author": "Thales", "tags": ["wisdom"]}]}',
    "jsonl": '{"text": "Know thyself.", "author": "Thales", "work": "Sayings", "year": -600, "tags": ["wisdom"]}',
    "yaml": "- text: Know thyself.\n  author: Thales\n  tags: [wisdom]\n- quote: Nothing in excess.\n  by: Solon",
    "toml": '[[quotes]]\ntext = "Know thyself."\nauthor = "Thales"\ntags = ["wisdom"]',
    "md": "---\nauthor: Thales\nbook: Sayings\ntags: [wisdom]\n---\n> Know thyself.\n\n"
    "> [!quote] Solon\n> Nothing in excess.",
    "org": "#+author: Thales\n#+title: Sayings\n#+begin_quote\nKnow thyself.\n#+end_quote\n"
    "#+begin_quote\nNothing in excess.\n--- Solon\n#+end_quote",
    "html": "<blockquote>\n  <p>Know thyself.</p>\n  <footer>Thales, <cite>Sayings</cite></footer>\n</blockquote>",
    "kindle-notebook": '<div class="bookTitle">Sayings</div>\n<div class="authors">Thales</div>\n'
    '<div class="noteHeading">Highlight(yellow) - Page 1 · Location 2</div>\n'
    '<div class="noteText">Know thyself.</div>\n<div class="noteHeading">Note - Page 1 · Location 3</div>\n'
    '<div class="noteText">for the talk</div>',
    "kindle": "Sayings (Thales)\n- Your Highlight on page 1 | Location 2-3 | Added on Sunday, 3 March 2019 10:15:33\n\n"
    "Know thyself.\n==========\nSayings (Thales)\n- Your Note on page 1 | Location 3 | Added on Sunday, 3 March 2019 "
    "10:17:02\n\nfor the talk\n==========",
    "apple-books": "$ quotefind index ~/Library/Containers/com.apple.iBooksX/Data/Documents/AEAnnotation",
    "kobo": "$ quotefind index /media/KOBOeReader/.kobo/KoboReader.sqlite",
    "koreader": 'return {\n  ["annotations"] = {\n    [1] = { ["drawer"] = "lighten", ["note"] = "for the talk", '
    '["text"] = "Know thyself." },\n  },\n  ["doc_props"] = { ["authors"] = "Thales", ["title"] = "Sayings" },\n}',
    "moon-reader": "1\nindent:false\ntrim:false\n#\n1\nSayings\n/sdcard/Books/Sayings - Thales.epub\n"
    "/sdcard/books/sayings - thales.epub\n2\n0\n40\n13\n-256\n1551608133000\n\nfor the talk\nKnow thyself.\n0\n0\n0",
    "parquet": "$ quotefind index quotes.parquet --text-column quote --author-column who",
    "arrow": "$ quotefind index quotes.arrow --text-column quote --author-column who",
}
