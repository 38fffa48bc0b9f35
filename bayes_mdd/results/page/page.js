(function () {
  "use strict";
  function all(selector, root) { return Array.from((root || document).querySelectorAll(selector)); }
  function make(tag, text, cls) { var e = document.createElement(tag); if (text) e.textContent = text; if (cls) e.className = cls; return e; }
  function button(text, label, act) { var b = make("button", text); b.type = "button"; b.setAttribute("aria-label", label); b.addEventListener("click", act); return b; }
  function save(name, parts, type) {
    var blob = parts instanceof Blob ? parts : new Blob(parts, { type: type }), a = make("a");
    a.href = URL.createObjectURL(blob); a.download = name; document.body.append(a); a.click(); a.remove();
    setTimeout(function () { URL.revokeObjectURL(a.href); }, 20000);
  }
  function bytes(uri) { return Uint8Array.from(atob(uri.slice(uri.indexOf(",") + 1)), function (c) { return c.charCodeAt(0); }); }
  function plain(e) { return (e.dataset.sort !== undefined && !e.textContent.trim() ? e.dataset.sort : e.textContent).replace(/\s+/g, " ").trim(); }
  function number(e) { var n = e.querySelector(".number"); return n ? n.textContent : ""; }

  // Figures: what is in the page, as SVG, and as PNG with 300 pixels per inch.
  function savePng(img, name) {
    if (img.dataset.kind === "png") { save(name + ".png", [bytes(img.src)], "image/png"); return; }
    var copy = new Image();
    copy.onload = function () {
      var scale = 300 / 96, canvas = make("canvas");
      canvas.width = Math.round((img.getAttribute("width") || copy.naturalWidth) * scale);
      canvas.height = Math.round((img.getAttribute("height") || copy.naturalHeight) * scale);
      canvas.getContext("2d").drawImage(copy, 0, 0, canvas.width, canvas.height);
      canvas.toBlob(function (blob) { save(name + ".png", blob); }, "image/png");
    };
    copy.src = img.src;
  }
  all("figure[id] .canvas > img").forEach(function (img) {
    var box = img.closest("figure"), name = box.id, tools = make("div", "", "tools"), of = number(box) || "the figure";
    if (img.dataset.kind === "svg") tools.append(button("Download SVG", "Download " + of + " as SVG", function () { save(name + ".svg", [bytes(img.src)], "image/svg+xml"); }));
    tools.append(button("Download PNG", "Download " + of + " as PNG", function () { savePng(img, name); }));
    box.append(tools);
  });

  // Tables: sorted by a button in each heading (up, down, as written), and downloaded as TSV.
  function key(cell) {
    var given = cell && cell.dataset.sort, text = cell ? (given !== undefined ? given : plain(cell)) : "";
    var match = text.replace(/\u2212/g, "-").match(/^[<>\u2264\u2265=\s]*([-+]?(?:\d[\d,]*\.?\d*|\.\d+)(?:e[-+]?\d+)?)/i);
    var value = match ? parseFloat(match[1].replace(/,/g, "")) : NaN;
    return { none: text === "" || text === "n/a", number: value, beyond: /^</.test(text) ? -1 : /^>/.test(text) ? 1 : 0, text: text };
  }
  function compare(a, b, numbers) {
    if (numbers) return a.number - b.number || a.beyond - b.beyond;
    return a.text.localeCompare(b.text, undefined, { numeric: true });
  }
  function sortBy(table, th) {
    var heads = all("thead th", table), column = heads.indexOf(th), body = table.tBodies[0];
    var next = { none: "ascending", ascending: "descending", descending: "none" }[th.getAttribute("aria-sort") || "none"];
    heads.forEach(function (h) { if (h.hasAttribute("aria-sort")) h.setAttribute("aria-sort", "none"); });
    th.setAttribute("aria-sort", next);
    var rows = table.rowsAsWritten.map(function (r) { return [r, key(r.cells[column])]; });
    var numbers = rows.every(function (r) { return r[1].none || !isNaN(r[1].number); });
    if (next !== "none") rows.sort(function (a, b) {
      if (a[1].none || b[1].none) return a[1].none - b[1].none;
      return (next === "ascending" ? 1 : -1) * compare(a[1], b[1], numbers);
    });
    rows.forEach(function (r) { body.append(r[0]); });
  }
  all(".table").forEach(function (box) {
    var table = box.querySelector("table"), body = table && table.tBodies[0];
    if (!body) return;
    table.rowsAsWritten = Array.from(body.rows);
    if (table.rowsAsWritten.length > 2) all("thead th", table).forEach(function (th) {
      if (!plain(th)) return;
      // Text outside the button is printed again at the top of each page.
      th.append("\u00a0", button("", "Sort by " + plain(th), function () {}));
      th.setAttribute("aria-sort", "none"); th.addEventListener("click", function () { sortBy(table, th); });
    });
    var tools = make("div", "", "tools");
    tools.append(button("Download TSV", "Download " + (number(box) || "the table") + " as TSV", function () {
      var rows = all("tr", table).map(function (r) {
        return Array.from(r.cells).map(function (c) { var s = c.querySelector(".symbol"), t = plain(c); return s ? t.replace(s.textContent, "").trim() : t; }).join("\t");
      });
      save(box.id.replace(/^table-/, "") + ".tsv", [rows.join("\n"), "\n"], "text/tab-separated-values;charset=utf-8");
    }));
    box.append(tools);
  });
  function reach() {  // Only boxes that scroll are stops of the keyboard.
    all(".scroll, .canvas").forEach(function (box) { if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0; else box.removeAttribute("tabindex"); });
  }
  reach(); window.addEventListener("resize", reach); window.addEventListener("load", reach);

  // Texts to copy.
  all(".copy").forEach(function (box) {
    var text = box.querySelector("[data-copy]"), label = box.querySelector(".label");
    if (!text || !label) return;
    var b = button("Copy", "Copy: " + label.textContent, function () {
      function done(ok) { b.textContent = ok ? "Copied" : "Press Ctrl+C"; setTimeout(function () { b.textContent = "Copy"; }, 2500); }
      function select() {
        var range = document.createRange(), chosen = getSelection();
        range.selectNodeContents(text); chosen.removeAllRanges(); chosen.addRange(range);
        var ok = false; try { ok = document.execCommand("copy"); } catch (e) { ok = false; }
        if (ok) chosen.removeAllRanges();
        done(ok);
      }
      if (navigator.clipboard && navigator.clipboard.writeText) navigator.clipboard.writeText(text.innerText.trim()).then(function () { done(true); }, select); else select();
    });
    b.setAttribute("aria-live", "polite"); label.append(b);
  });

  // Contents: where the reader is; the menu closes when a place is chosen.
  var links = all("nav.side a[href^='#']").filter(function (a) { return a.hash.length > 1; }), toTop = document.querySelector(".to-top");
  function mark() {
    var now = null;
    links.forEach(function (a) { var p = document.getElementById(a.hash.slice(1)); if (p && p.id !== "top" && p.getBoundingClientRect().top < 140) now = a; });
    links.forEach(function (a) { if (a === now) a.setAttribute("aria-current", "true"); else a.removeAttribute("aria-current"); });
    toTop.classList.toggle("shown", window.scrollY > 700);
  }
  var waiting = false;
  window.addEventListener("scroll", function () { if (waiting) return; waiting = true; requestAnimationFrame(function () { waiting = false; mark(); }); }, { passive: true });
  mark();
  all(".menu a").forEach(function (a) { a.addEventListener("click", function () { a.closest("details").open = false; }); });
  function reveal() { var p = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1))); for (; p; p = p.parentElement) if (p.tagName === "DETAILS") p.open = true; }
  window.addEventListener("hashchange", reveal); reveal();

  // Everything is printed.
  var closed = [];
  window.addEventListener("beforeprint", function () { closed = all("details:not([open]):not(.menu)"); closed.forEach(function (d) { d.open = true; }); });
  window.addEventListener("afterprint", function () { closed.forEach(function (d) { d.open = false; }); });
})();
