  var data = JSON.parse(root.querySelector(".bm-brain-data").textContent);
  var RGB = { plus: "#D55E00", minus: "#0072B2", idle: "#BBBBBB" };
  var WIDTHS = [2, 4, 6, 9], SIZES = [7, 11, 15, 19];
  var state = { factor: Object.keys(data.factors)[0], top: 0, level: 0, names: false };
  var meshes = [];
  function sure(p) { return p > 0.99 ? "> 0.99" : p.toFixed(2); }

  // A feature is [ends..., mean, lower, upper, p]; sorted, the strongest first.
  function value(row, at) { return row[data.ends + at]; }
  function chosen() {
    var level = data.levels[state.level], n = 0;
    var able = data.factors[state.factor].features.filter(function (row) {
      return value(row, 3) >= level;
    });
    n = able.length;
    return { rows: able.slice(0, state.top), more: n > state.top };
  }
  function title(row) {
    return row.slice(0, data.ends).map(function (i) { return data.regions[i][0]; }).join(" \u2013 ");
  }
  function networks(row) {
    return row.slice(0, data.ends).map(function (i) { return data.regions[i][1]; }).join(" \u2013 ");
  }
  function interval(row) { return "[" + signed(value(row, 1)) + ", " + signed(value(row, 2)) + "]"; }
  function describe(row) {
    return title(row) + "<br>" + signed(value(row, 0)) + " " + interval(row) +
      ", P(sign) " + sure(value(row, 3));
  }

  function tell(found) {
    var what = data.ends === 2 ? "edge" : "region", n = found.rows.length;
    var word = what + (n === 1 ? "" : "s");
    var text = data.factors[state.factor].name + ": " +
      (found.more ? "the " + n + " strongest " + word : (n || "no") + " " + word) +
      " with a posterior probability of the sign of at least " + data.levels[state.level] + ".";
    says("count", text);
    root.setAttribute("data-drawn", String(n));
    says("top", String(state.top));
    says("level", String(data.levels[state.level]));
    var body = root.querySelector(".bm-brain-list tbody");
    body.textContent = "";
    found.rows.forEach(function (row) {
      var line = add(body, "tr");
      [title(row), networks(row), signed(value(row, 0)), interval(row), sure(value(row, 3))]
        .forEach(function (text) { add(line, "td", text); });
    });
  }

  function place(i) { return data.regions[i].slice(2); }
  function spots(mode, extra) {
    var made = { type: "scatter3d", mode: mode, x: [], y: [], z: [], showlegend: false };
    Object.keys(extra).forEach(function (key) { made[key] = extra[key]; });
    return made;
  }
  function put(trace, xyz) { trace.x.push(xyz[0]); trace.y.push(xyz[1]); trace.z.push(xyz[2]); }
  function bin(row, largest) {
    return Math.min(3, Math.floor(4 * Math.abs(value(row, 0)) / (largest || 1)));
  }

  function between(a, b, part) { return a.map(function (v, k) { return v + part * (b[k] - v); }); }
  function distance(a, b) {
    return Math.sqrt(a.reduce(function (sum, v, k) { return sum + (v - b[k]) * (v - b[k]); }, 0));
  }
  // Dashes of equal length in mm (the library scales its own with the length of the line).
  function pieces(length) {
    if (!length) { return [[0, 1]]; }
    var n = Math.max(2, Math.round(length / 8)), on = 0.58, all = n - 1 + on, made = [];
    for (var k = 0; k < n; k++) { made.push([k / all, (k + on) / all]); }
    return made;
  }

  function drawEdges(rows, largest) {
    var traces = [], touch = spots("markers", {
      text: [], hoverinfo: "text", marker: { size: 9, opacity: 0.01, color: "#000" }
    });
    [1, -1].forEach(function (sign) {
      WIDTHS.forEach(function (width) {
        traces.push(spots("lines", {
          hoverinfo: "skip", connectgaps: false,
          line: { width: width, color: sign > 0 ? RGB.plus : RGB.minus }
        }));
      });
    });
    rows.forEach(function (row) {
      var trace = traces[(value(row, 0) < 0 ? 4 : 0) + bin(row, largest)];
      var a = place(row[0]), b = place(row[1]);
      pieces(value(row, 0) < 0 ? distance(a, b) : 0).forEach(function (piece) {
        put(trace, between(a, b, piece[0])); put(trace, between(a, b, piece[1]));
        put(trace, [null, null, null]);
      });
      [0.35, 0.5, 0.65].forEach(function (part) {
        put(touch, between(a, b, part));
        touch.text.push(describe(row));
      });
    });
    return traces.concat([touch]);
  }

  function drawNodes(rows, largest) {
    var of = {}, groups = { idle: [], used: [] };
    rows.forEach(function (row) { row.slice(0, data.ends).forEach(function (i) { of[i] = row; }); });
    data.regions.forEach(function (region, i) {
      if (region[2] !== null) { groups[of[i] ? "used" : "idle"].push(i); }
    });
    return ["idle", "used"].map(function (group) {
      var used = group === "used", single = used && data.ends === 1;
      var trace = spots(used && state.names ? "markers+text" : "markers", {
        text: [], hovertext: [], hoverinfo: "text", textposition: "top center",
        textfont: { size: 12, color: "#222" },
        marker: { size: [], color: [], symbol: [], line: { color: "#444", width: 1 } }
      });
      groups[group].forEach(function (i) {
        var region = data.regions[i], row = of[i];
        put(trace, region.slice(2));
        trace.text.push(region[0]);
        trace.hovertext.push(single ? describe(row) : region[0] + (region[1] ? " (" + region[1] + ")" : ""));
        trace.marker.size.push(single ? SIZES[bin(row, largest)] : used ? 8 : 4);
        trace.marker.symbol.push(single && value(row, 0) < 0 ? "diamond" : "circle");
        trace.marker.color.push(single ? (value(row, 0) < 0 ? RGB.minus : RGB.plus)
          : used ? data.colours[region[1]] || "#222" : RGB.idle);
      });
      return trace;
    });
  }

  function sides() {
    var trace = spots("text", { text: ["L", "R"], hoverinfo: "skip", textfont: { size: 16, color: "#222" } });
    put(trace, [-84, -20, 0]); put(trace, [84, -20, 0]);
    return trace;
  }

  function draw() {
    var found = chosen();
    tell(found);
    if (!plot || !window.Plotly) { return; }
    var features = data.factors[state.factor].features;
    var largest = features.length ? Math.abs(value(features[0], 0)) : 1;
    var traces = meshes.concat(data.ends === 2 ? drawEdges(found.rows, largest) : [],
      drawNodes(found.rows, largest), [sides()]);
    show(traces);
  }

  choose("data-factor", function (factor) { state.factor = factor; draw(); });
  all("[data-sets]").forEach(function (input) {
    var name = input.getAttribute("data-sets"), check = input.type === "checkbox";
    function take() { state[name] = check ? input.checked : Number(input.value); }
    take();
    input.addEventListener(check ? "change" : "input", function () { take(); later(draw); });
  });
  root.querySelector(".bm-brain-start").addEventListener("click", function () {
    start(function (hemispheres) {
      meshes = hemispheres.map(function (mesh) {
        return Object.assign(mesh, { color: "#aaaaaa", opacity: 0.12, hoverinfo: "skip" });
      });
      draw();
    });
  });
  var legend = root.querySelector('[data-says="networks"]');
  Object.keys(data.colours).forEach(function (name) {
    var key = add(legend, "span");
    key.className = "bm-brain-key";
    var dot = add(key, "span");
    dot.className = "bm-brain-dot";
    dot.style.background = data.colours[name];
    key.appendChild(document.createTextNode(name));
  });
  draw();
