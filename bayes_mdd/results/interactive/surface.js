  var data = JSON.parse(root.querySelector(".bm-brain-data").textContent);
  var owner = null, hemispheres = [], state = { statistic: data.first };
  var GREY = "rgb(205,205,205)";

  function scale() { return data.statistics[state.statistic]; }
  function colour(value) {
    var of = scale(), n = of.colours.length;
    if (value === null) { return GREY; }
    var at = Math.floor(n * (value - of.low) / (of.high - of.low));
    return of.colours[Math.max(0, Math.min(n - 1, at))];
  }
  function label(i) {
    var value = scale().values[i], network = data.regions[i][1];
    return data.regions[i][0] + (network ? " (" + network + ")" : "") + ": " +
      (value === null ? "not analysed" : signed(value));
  }
  function draw() {
    var of = scale(), bar = root.querySelector(".bm-surface-bar");
    bar.style.background = "linear-gradient(to right, " + of.colours.join(", ") + ")";
    says("low", signed(of.low));
    says("high", signed(of.high));
    says("words", of.words);
    var order = data.regions.map(function (region, i) { return i; }).filter(function (i) {
      return of.values[i] !== null;
    }).sort(function (a, b) { return Math.abs(of.values[b]) - Math.abs(of.values[a]); });
    var body = root.querySelector(".bm-brain-list tbody");
    body.textContent = "";
    order.forEach(function (i) {
      var line = add(body, "tr");
      [data.regions[i][0], data.regions[i][1], signed(of.values[i]), data.regions[i][2] ? "" : "not on the surface"]
        .forEach(function (text) { add(line, "td", text); });
    });
    root.setAttribute("data-statistic", state.statistic);
    if (!plot) { return; }
    var from = 0;
    show(hemispheres.map(function (mesh) {
      var n = mesh.x.length, own = owner.subarray(from, from + n);
      from += n;
      var colours = of.values.map(colour), words = data.regions.map(function (r, i) { return label(i); });
      var paint = new Array(n), text = new Array(n);
      for (var v = 0; v < n; v++) {
        paint[v] = own[v] < 0 ? GREY : colours[own[v]];
        text[v] = own[v] < 0 ? "" : words[own[v]];
      }
      return Object.assign({}, mesh, {
        vertexcolor: paint, text: text, hoverinfo: "text",
        lighting: { ambient: 0.75, diffuse: 0.45, specular: 0.05, roughness: 0.9 }
      });
    }));
  }

  choose("data-statistic", function (statistic) { state.statistic = statistic; draw(); });
  root.querySelector(".bm-brain-start").addEventListener("click", function () {
    unpack(".bm-surface-owner").then(function (buffer) {
      owner = new Int16Array(buffer);
      start(function (found) { hemispheres = found; draw(); });
    });
  });
  draw();
