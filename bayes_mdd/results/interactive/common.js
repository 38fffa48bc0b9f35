  "use strict";
  // Shared by all viewers of a page: unpacking, camera, keys and buttons.
  function all(selector) { return Array.prototype.slice.call(root.querySelectorAll(selector)); }
  function says(name, text) { root.querySelector('[data-says="' + name + '"]').textContent = text; }
  function add(parent, tag, text) {
    var item = document.createElement(tag);
    if (text !== undefined) { item.textContent = text; }
    parent.appendChild(item);
    return item;
  }
  function signed(value) { return (value < 0 ? "\u2212" : "+") + Math.abs(value).toFixed(2); }
  function eye(xyz) { return { x: xyz[0], y: xyz[1], z: xyz[2] }; }
  var EYES = {
    left: [-1.3, 0, 0.1], right: [1.3, 0, 0.1], front: [0, 1.3, 0.1], back: [0, -1.3, 0.1],
    top: [0, -0.01, 1.35], bottom: [0, -0.01, -1.35], start: [-0.95, 0.65, 0.6]
  };
  var stage = root.querySelector(".bm-brain-stage"), plot = null, waiting = false;
  var first = EYES[stage.getAttribute("data-first")] || EYES.start;

  function show(traces) {
    var axis = { visible: false, showspikes: false };
    var camera = plot.layout ? plot.layout.scene.camera : { eye: eye(first), up: { x: 0, y: 0, z: 1 } };
    window.Plotly.react(plot, traces, {
      margin: { l: 0, r: 0, t: 0, b: 0 }, showlegend: false, hovermode: "closest",
      autosize: true, paper_bgcolor: "#fff",
      scene: { aspectmode: "data", dragmode: "turntable", xaxis: axis, yaxis: axis, zaxis: axis, camera: camera }
    }, { displayModeBar: false, scrollZoom: false, responsive: true, plotlyServerURL: "" });
  }
  function look(xyz) {
    if (!plot) { return; }
    window.Plotly.relayout(plot, { "scene.camera": { eye: eye(xyz), up: { x: 0, y: 0, z: 1 }, center: eye([0, 0, 0]) } });
  }
  function turn(around, upwards, nearer) {
    if (!plot) { return; }
    var at = plot.layout.scene.camera.eye;
    var r = Math.sqrt(at.x * at.x + at.y * at.y + at.z * at.z);
    var a = Math.atan2(at.y, at.x) + around;
    var up = Math.max(-1.5, Math.min(1.5, Math.asin(at.z / r) + upwards));
    r = Math.max(0.4, Math.min(4, r * nearer));
    look([r * Math.cos(up) * Math.cos(a), r * Math.cos(up) * Math.sin(a), r * Math.sin(up)]);
  }
  function unpack(selector) {
    var raw = atob(root.querySelector(selector).textContent), bytes = new Uint8Array(raw.length);
    for (var i = 0; i < raw.length; i++) { bytes[i] = raw.charCodeAt(i); }
    var stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).arrayBuffer();
  }
  // Of each hemisphere: numbers of vertices and faces, coordinates in 0.01 mm, corners of faces.
  function readBrain(buffer) {
    var at = 0;
    return [0, 1].map(function () {
      var sizes = new Int32Array(buffer.slice(at, at + 8)), n = sizes[0], m = sizes[1];
      at += 8;
      var places = new Int16Array(buffer.slice(at, at + 6 * n));
      at += 6 * n;
      var faces = new Int32Array(buffer.slice(at, at + 12 * m));
      at += 12 * m;
      var mm = Float32Array.from(places, function (v) { return v / 100; });
      return {
        type: "mesh3d", x: mm.subarray(0, n), y: mm.subarray(n, 2 * n), z: mm.subarray(2 * n),
        i: faces.subarray(0, m), j: faces.subarray(m, 2 * m), k: faces.subarray(2 * m)
      };
    });
  }
  function able() {
    try { return !!document.createElement("canvas").getContext("webgl"); } catch (error) { return false; }
  }
  function refuse(text) { stage.textContent = ""; add(stage, "p", text); }
  // Calls begin(hemispheres) when the library runs and there is a place to draw.
  function start(begin) {
    if (!able() || typeof DecompressionStream === "undefined") {
      refuse("This browser offers no WebGL, so the brain cannot be drawn. The list below works.");
      return;
    }
    stage.textContent = "";
    var note = add(stage, "p", "Loading \u2026");
    Promise.all([unpack(".bm-brain-library"), unpack(".bm-brain-mesh")]).then(function (parts) {
      if (!window.Plotly) {
        var code = document.createElement("script");
        code.textContent = new TextDecoder().decode(parts[0]);
        document.head.appendChild(code);
      }
      note.remove();
      plot = add(stage, "div");
      plot.className = "bm-brain-plot";
      begin(readBrain(parts[1]));
      root.querySelector(".bm-brain-views").hidden = false;
      stage.tabIndex = 0;
      stage.focus({ preventScroll: true });
      root.setAttribute("data-ready", "true");
    }).catch(function (error) { refuse("The brain could not be drawn: " + error.message); });
  }
  function later(draw) {
    if (waiting) { return; }
    waiting = true;
    window.requestAnimationFrame(function () { waiting = false; draw(); });
  }
  // One of several buttons is pressed.
  function choose(attribute, chosen) {
    all("[" + attribute + "]").forEach(function (button) {
      button.addEventListener("click", function () {
        all("[" + attribute + "]").forEach(function (other) {
          other.setAttribute("aria-pressed", String(other === button));
        });
        chosen(button.getAttribute(attribute));
      });
    });
  }
  all("[data-view]").forEach(function (button) {
    button.addEventListener("click", function () { look(EYES[button.getAttribute("data-view")]); });
  });
  all("[data-zoom]").forEach(function (button) {
    button.addEventListener("click", function () { turn(0, 0, Number(button.getAttribute("data-zoom"))); });
  });
  var KEYS = {
    ArrowLeft: [-0.15, 0, 1], ArrowRight: [0.15, 0, 1], ArrowUp: [0, 0.15, 1], ArrowDown: [0, -0.15, 1],
    "+": [0, 0, 0.85], "-": [0, 0, 1.18]
  };
  stage.addEventListener("keydown", function (event) {
    var step = KEYS[event.key];
    if (plot && step && event.target === stage) { event.preventDefault(); turn(step[0], step[1], step[2]); }
  });
