// The list of pages shows the current one; a search looks through the texts in search-index.js, loaded when somebody turns to it. Without scripts there is none.
"use strict";
{
  const search = document.querySelector("search"), input = search.querySelector("input"), results = search.querySelector("ol");
  const root = document.body.dataset.root, nav = document.querySelector("nav"), current = nav.querySelector("[aria-current]");
  let loading;

  function load() {
    loading ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = `${root}search-index.js`;
      script.onload = resolve;
      script.onerror = reject;
      document.head.append(script);
    });
    return loading;
  }

  /** All words must occur; in a title or a heading they count for more. */
  function score({ title, heading, text }, words) {
    let sum = 0;
    for (const word of words) {
      const inHeading = heading.toLowerCase().includes(word), inTitle = title.toLowerCase().includes(word);
      const inText = text.toLowerCase().split(word).length - 1;
      if (!inHeading && !inTitle && !inText) return 0;
      sum += 20 * inHeading + 10 * inTitle + Math.min(inText, 5);
    }
    return sum;
  }

  function excerpt(text, word) {
    const at = Math.max(0, text.toLowerCase().indexOf(word) - 30);
    return (at ? "…" : "") + text.slice(at, at + 100) + (text.length > at + 100 ? "…" : "");
  }

  async function show() {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    await load();
    const found = !words.length ? [] : searchIndex.map(entry => [score(entry, words), entry])
      .filter(([points]) => points).sort(([a], [b]) => b - a).slice(0, 12);
    results.replaceChildren(...found.map(([, { address, title, heading, text }]) => {
      const item = document.createElement("li"), link = document.createElement("a"), name = document.createElement("b");
      link.href = root + address;
      name.textContent = heading ? `${title} – ${heading}` : title;
      link.append(name, excerpt(text, words[0]));
      item.append(link);
      return item;
    }));
    if (words.length && !found.length) results.textContent = "Nothing found.";
  }

  function hide() {
    if (nav.matches(":popover-open")) nav.hidePopover();
  }

  search.hidden = false;
  if (current && current.offsetTop > nav.clientHeight) nav.scrollTop = current.offsetTop - nav.clientHeight / 2;
  matchMedia("(min-width: 60rem)").addEventListener("change", hide);
  input.addEventListener("focus", load);
  input.addEventListener("input", show);
  nav.addEventListener("click", event => {
    if (event.target.closest("a")) hide();
  });
}
