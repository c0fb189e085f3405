// The data of the page, and which quotes match the filters.

// Letters that Unicode does not decompose, though people type them without their strokes; and apostrophes.
const PLAIN = {
  ø: "o", ł: "l", đ: "d", ħ: "h", ı: "i", æ: "ae", œ: "oe", ð: "d", þ: "th", ß: "ss",
  "’": "'", "‘": "'", ʼ: "'",
};

/** Return `text` in the form that the search compares: without case and accents (Latin, Greek, Cyrillic, Hebrew, Arabic). */
function fold(text) {
  const lower = text.toLowerCase();
  if (/^[\0-\x7f]*$/.test(lower)) return lower;
  return lower
    .normalize("NFKD")
    .replace(/[\u0300-\u036f\u0591-\u05c7\u064b-\u065f]+/g, "")
    .replace(/[øłđħıæœðþß’‘ʼ]/g, (letter) => PLAIN[letter]);
}

/** Return the folded words of the typed text. */
function wordsOf(typed) {
  return fold(typed).split(/\s+/).filter(Boolean);
}

class Collection {
  /** Use the parsed JSON that `page.py` wrote. */
  constructor(data) {
    Object.assign(this, data);
    this.count = data.texts.length;
    const bytes = Uint8Array.from(atob(data.positions), (character) => character.charCodeAt(0));
    const numbers = new Float32Array(bytes.buffer);
    this.x = numbers.filter((_, at) => at % 2 === 0);
    this.y = numbers.filter((_, at) => at % 2 === 1);
    this.rankOf = new Map(data.hits.map(([quote], at) => [quote, at + 1]));
    this.foldedAuthors = data.authors.map(fold);
    this.folded = new Array(this.count);
    this.foldAhead(0);
  }

  author(i) {
    return this.authors[this.author_of[i]] ?? "";
  }

  work(i) {
    return this.works[this.work_of[i]] ?? "";
  }

  /** Return the year of quote `i` as text, "" if it is unknown. */
  year(i) {
    const year = this.years[i];
    if (year === null) return "";
    return year < 0 ? `${-year} BCE` : `${year}`;
  }

  /** Return the place of quote `i` in its work, "" if it is unknown. */
  place(i) {
    return this.place_of[i] ?? "";
  }

  topicOf(i) {
    return this.topics[this.topic_of[i]];
  }

  /** Return the rank and the score of quote `i`, "" if it is not a hit of the query. */
  scoreOf(i) {
    const rank = this.rankOf.get(i);
    return rank ? `Hit ${rank}, score ${this.hits[rank - 1][1].toFixed(2)}` : "";
  }

  /** Return the folded words of quote `i`. */
  words(i) {
    return (this.folded[i] ??= fold(`${this.texts[i]}\n${this.author(i)}\n${this.work(i)}`));
  }

  /** Fold all quotes from `start` on while the page is idle, so that the first search is fast, too. */
  foldAhead(start) {
    if (start >= this.count) return;
    setTimeout(() => {
      const end = Math.min(start + 500, this.count);
      for (let i = start; i < end; i++) this.words(i);
      this.foldAhead(end);
    }, 5);
  }

  /** Return which authors match the typed text: the one with that name, or else all whose names contain its words. */
  authorsLike(typed) {
    const whole = fold(typed).trim();
    const words = wordsOf(typed);
    const one = this.foldedAuthors.includes(whole);
    return this.foldedAuthors.map((name) => (one ? name === whole : words.every((word) => name.includes(word))));
  }

  /** Return 1 for each quote with all words, the topic (-1 for any) and a matching author, and 0 for the others. */
  matching({ search, topic, author }) {
    const words = wordsOf(search);
    const authors = author.trim() ? this.authorsLike(author) : null;
    const lit = new Uint8Array(this.count);
    for (let i = 0; i < this.count; i++) {
      if (topic >= 0 && this.topic_of[i] !== topic) continue;
      if (authors && !authors[this.author_of[i]]) continue;
      if (words.every((word) => this.words(i).includes(word))) lit[i] = 1;
    }
    return lit;
  }

  /** Return the positions of the lit quotes: the hits first, then the others in the order of the collection. */
  listed(lit) {
    const hits = this.hits.map(([quote]) => quote).filter((i) => lit[i]);
    const others = [];
    for (let i = 0; i < this.count; i++) if (lit[i] && !this.rankOf.has(i)) others.push(i);
    return hits.concat(others);
  }
}
