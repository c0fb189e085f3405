"""Which column of a table, or key of an object, holds which field of a quote: by common names in many languages."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from quotefind.corpus.fields import listed
from quotefind.corpus.options import ReadOptions
from quotefind.errors import SourceError
from quotefind.text import fold

# Field of a quote -> common names of its column or key, without blanks, marks, accents and case. If a table has several
# of them, the first in this list counts; for tags, all of them count.
# English; German; French; Spanish; Italian; Portuguese; Dutch; Polish; Russian; Chinese; Japanese; Korean; Turkish;
# Scandinavian, Czech.
_USUAL = {
    "text": """
        text quote quotation content highlight quotetext quotecontent quotebody highlighttext highlightedtext
        selectedtext body q sentence saying aphorism proverb maxim passage excerpt phrase quotes fortune
        zitat zitattext spruch sprichwort aphorismus textstelle; citation texte proverbe extrait; cita texto frase
        refran aforismo; citazione testo aforisma; citacao proverbio; citaat tekst spreuk; cytat tresc przyslowie;
        цитата текст афоризм высказывание; 名言 引文 句子 语录 語錄 正文 内容 內容 文本 hitokoto; 引用 本文 格言 言葉
        テキスト 文章; 명언 인용 인용문 본문 내용; alinti soz metin; citat sitat lainaus; en""",
    "author": """
        author by bookauthor authors authorname authorfullname fullname quoteauthor attribution attributedto speaker
        saidby said person writer creator who fromwho a quotee character
        autor verfasser urheber von; auteur auteurs ecrivain; por escritor autores; autore autori; schrijver;
        autorzy; автор авторы; 作者; 著者 発言者 人物 偉人; 저자 작가 지은이 인물; yazar; forfattare forfatter upphov;
        name""",
    "work": """
        work source book title booktitle worktitle booktitles bookname sourcetitle documenttitle quotesource publication
        from movie film anime show tvshow game play poem song article reference origin series
        werk buch quelle titel buchtitel; oeuvre livre titre ouvrage; obra libro fuente titulo; opera fonte titolo;
        livro; boek bron boektitel; dzielo ksiazka zrodlo tytul; произведение книга источник название; 作品 书名 書名
        出处 出處 来源 來源; 出典 本 タイトル 書籍名; 작품 책 출처 제목; eser kitap kaynak; verk bok kalla
        dilo kniha zdroj""",
    "year": """
        year publicationyear yearpublished publishedyear pubyear published publishedat publicationdate pubdate
        jahr erscheinungsjahr; annee; ano anio; anno; jaar; rok; год; 年 年份 年代; 年号; 연도 년도; yil; ar aar""",
    "tags": """
        tags tag themes theme topics topic subjects subject category categories documenttags genre genres label labels
        keywords keyword quotecategory quotegenre quotetags quotetopic cat
        schlagworte schlagworter stichworte stichworter thema themen kategorie kategorien; etiquettes categorie motscles
        sujet sujets; etiquetas tema temas categoria categorias genero generos palabrasclave; etichette temi genere
        argomento argomenti; marcadores assunto assuntos palavraschave; trefwoorden themas categorieen onderwerp
        onderwerpen; tagi temat tematy kategoria etykiety slowakluczowe; теги тег тема темы категория категории жанр
        метки; 标签 標籤 主题 主題 分类 分類 类别 類別 关键词; タグ テーマ カテゴリ カテゴリー ジャンル; 태그 주제
        카테고리 분류; etiketler konu kategori; taggar amne emne stitky""",
    "note": """
        note annotation notes comment comments remark remarks mynote usernote highlightnote
        notiz notizen anmerkung kommentar; commentaire remarque; nota notas comentario anotacion; commento; anotacao;
        notitie opmerking aantekening; notatka komentarz uwagi; заметка примечание комментарий; 笔记 筆記 备注 備註
        注释 批注; メモ ノート 備考 コメント; 메모 노트 비고; yorum; anteckning notat poznamka""",
    "place": "place",
    "chapter": """
        chapter chaptertitle chaptername section kapitel; chapitre; capitulo; capitolo; hoofdstuk; rozdzial; глава;
        章节 章節 章; 장; bolum kapitola""",
    "page": """
        page pagenumber pageno pagenum seite seitenzahl; pagina; paginas; strona; страница; 页码 頁碼 页 頁; ページ
        頁数; 페이지; sayfa sida side strana""",
    "location": """
        location locationstart startlocation position; emplacement; posicion ubicacion; posizione; posicao; locatie
        positie; lokalizacja; место позиция; 位置; 위치; konum plats""",
    "locationtype": "locationtype",
    "added": """
        added dateadded addeddate addedat addedon highlightedat highlightedon highlightdate datehighlighted createdat
        created creationdate datecreated createddate timecreated timestamp
        hinzugefugtam hinzugefugt erstelltam erstellt markiertam; ajoutele dateajout dateajoutee creele; fechaagregado
        fechacreacion anadido creadoel; aggiuntoil datacreazione; adicionadoem datacriacao criadoem; toegevoegdop
        aangemaaktop; datadodania dodano utworzono; добавлено датадобавления создано; 添加时间 添加日期 创建时间
        创建日期; 追加日 作成日 登録日; 추가일 생성일 작성일; eklenmetarihi""",
    "id": "id",
}
USUAL_NAMES: Mapping[str, tuple[str, ...]] = {
    field: tuple(dict.fromkeys(names.replace(";", " ").split())) for field, names in _USUAL.items()
}
# The fields whose column an option can name, in the order of messages.
FIELDS = ("text", "author", "work", "year", "tags", "note")
_MANY = "tags"
_LONGEST_NAME = 60  # characters in the name of a column that a message proposes

# Field -> the columns that hold it.
Columns = Mapping[str, tuple[str, ...]]


@lru_cache(maxsize=4096)
def folded(name: str) -> str:
    """Return a column name for comparison: "quoteText", "quote_text" and "Quote-Text" are all "quotetext"."""
    return fold(name[:200]).replace(" ", "")


_FOLDED = {field: tuple(dict.fromkeys(map(folded, names))) for field, names in USUAL_NAMES.items()}


def named_column(field: str, options: ReadOptions) -> str | None:
    """Return the column that `options` set for a field, or None."""
    column: str | None = getattr(options, f"{field}_column", None)
    return column


def find_columns(names: Iterable[str], options: ReadOptions) -> dict[str, tuple[str, ...]]:
    """Return, for each field of a quote, the columns among `names` that hold it; no column holds two fields.

    If `options` set the column of a field, no other column counts for it.
    """
    known: dict[str, str] = {}
    exact: dict[str, str] = {}
    for name in names:
        known.setdefault(folded(name) or name, name)
        exact.setdefault(name.strip(), name)
    found: dict[str, tuple[str, ...]] = {}
    taken: set[str] = set()
    for field in _FOLDED:
        said = named_column(field, options)
        if said is not None:
            column = exact.get(said.strip(), known.get(folded(said) or said))
            found[field] = () if column is None else (column,)
            taken.update(found[field])
    for field, usual in _FOLDED.items():
        if field not in found:
            held = [known[name] for name in usual if name in known and known[name] not in taken]
            found[field] = tuple(held if field == _MANY else held[:1])
            taken.update(found[field])
    return found


def check_columns(names: Sequence[str], columns: Columns, where: str, options: ReadOptions, hint: str = "") -> None:
    """Refuse a table that lacks a column set in `options`, or a column for the text.

    Args:
        names: the names of all its columns.
        columns: the columns of each field of a quote, as returned by `find_columns`.
        where: the table, for the message.
        options: how to read it.
        hint: how to fix it, for the message; "" to suggest --text-column.

    Raises:
        SourceError: such a column is missing; the message lists the columns of the table.
    """
    for field in FIELDS:
        said = named_column(field, options)
        if said is not None and not columns[field]:
            raise SourceError(f"{where}: no column {said!r}; the columns are {listed(names)}")
    if not columns["text"]:
        raise SourceError(
            f"{where}: no column holds the text; the columns are {listed(names)}; "
            f"{hint or 'name it with --text-column NAME'}"
        )


def proposal(rows: Sequence[Mapping[str, object]], columns: Columns) -> str:
    """Return the options that would read `rows`, as in "add --text-column a --author-column b"; "" if none would.

    The text is most likely the longest value, and the author a short string under a name that is no known field.
    """
    lengths: dict[str, list[int]] = {}
    for row in rows:
        for name, value in row.items():
            if name.strip() and len(name) <= _LONGEST_NAME and isinstance(value, str) and any(map(str.isalpha, value)):
                lengths.setdefault(name, []).append(len(value))
    taken = {name for field, names in columns.items() for name in names if field != "text"}
    free = {
        name: sum(found) / len(found) for name, found in lengths.items() if name not in taken and name.isprintable()
    }
    text = max(free, key=lambda name: free[name], default=None)
    if text is None:
        return ""
    words = f"add --text-column {shlex.quote(text)}"
    if not columns["author"]:
        likely = [name for name in free if name != text and free[name] <= 60]
        likely.sort(key=lambda name: not any(part in folded(name) for part in ("aut", "name", "by", "who", "speak")))
        words += f" --author-column {shlex.quote(likely[0])}" if likely else ""
    return words


def columns_used(used: Columns, names: Iterable[str]) -> str | None:
    """Return a sentence on which of the columns `names` were used and which were not, or None if that is obvious.

    It is obvious if each column has the name of its field and none is left over.
    """
    shown = [field for field, columns in used.items() if columns and field != "id"]
    taken = {column for columns in used.values() for column in columns}
    unused = [name for name in names if name not in taken and name.strip()]
    if not unused and all(folded(column) == field for field in shown for column in used[field]):
        return None
    parts = ", ".join(f"{field} from {listed(used[field])}" for field in shown)
    return f"{parts}; not used: {listed(unused)}" if unused else parts
