"use strict";
// Values under the pointer and the arrow keys, light and dark, large pictures, and the time of snapshots.
// Without it the page shows the same, only at rest.
(() => {
  const tip = document.getElementById("tip");
  const element = (name, text, style) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (style) made.className = style;
    return made;
  };
  const short = (v) => {
    if (v === null || v === undefined) return "–";
    const size = Math.abs(v);
    return v !== 0 && (size < 1e-3 || size >= 1e6) ? v.toExponential(3) : String(Number(v.toPrecision(5)));
  };
  const nearest = (xs, x) => {
    let best = 0;
    for (let i = 1; i < xs.length; i++) {
      if (xs[i] !== null && Math.abs(xs[i] - x) < Math.abs(xs[best] - x)) best = i;
    }
    return best;
  };
  const tell = (head, rows, x, y) => {
    tip.replaceChildren(element("b", head));
    for (const [name, value, color] of rows) {
      const row = element("div");
      if (color !== undefined) row.append(element("span", "", "dot c" + color));
      row.append(element("span", name), element("span", value));
      tip.append(row);
    }
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    tip.style.left = Math.max(4, Math.min(x + 14, innerWidth - box.width - 8)) + "px";
    tip.style.top = Math.max(4, y + 18 + box.height > innerHeight ? y - box.height - 12 : y + 18) + "px";
  };
  const kinds = {
    lines(d, at) {
      const results = d.lines.filter((l) => !l.limit);
      const near = results.map((l) => [l, nearest(l.x, at)]).filter(([l]) => l.x.length);
      if (!near.length) return null;
      const closest = near.reduce((a, b) => (Math.abs(b[0].x[b[1]] - at) < Math.abs(a[0].x[a[1]] - at) ? b : a));
      const x = closest[0].x[closest[1]];
      const rows = near.filter(([l, i]) => Math.abs(l.x[i] - x) <= Math.abs(d.x[1] - d.x[0]) / 50);
      return [x, `${short(x)}  ${d.xLabel}`, rows.slice(0, 14).map(([l, i]) => [l.name, short(l.y[i]), l.color])];
    },
    bars(d, at) {
      const i = Math.min(Math.max(Math.round(at) - d.first, 0), d.heights.length - 1);
      const word = d.words[d.marked.includes(i) ? 1 : 0];
      return [i + d.first, `${d.xLabel} ${i + d.first}`, [[d.yLabel || "iterations", short(d.heights[i])]].concat(word ? [[word, ""]] : [])];
    },
    lanes(d, at, y) {
      const lane = d.lanes[Math.min(Math.max(Math.floor((y - d.top) / d.pitch), 0), d.lanes.length - 1)];
      const first = Object.values(lane.shares)[0];
      const i = Math.min(Math.max(Math.floor(((at - d.x[0]) / (d.x[1] - d.x[0])) * first.length), 0), first.length - 1);
      const rows = Object.entries(lane.shares).map(([n, s]) => [n, Math.round(100 * s[i]) + " %"]);
      return [at, `${lane.name} at ${short(at)} ${d.xLabel}`, rows];
    },
  };
  for (const chart of document.querySelectorAll(".chart")) {
    const svg = chart.querySelector("svg");
    const d = JSON.parse(chart.querySelector("script").textContent);
    const cursor = svg.querySelector(".cursor");
    const [left, right, top, bottom] = d.box;
    cursor.setAttribute("y1", top);
    cursor.setAttribute("y2", bottom);
    let at = null, row = 0;
    const show = (value, y, place) => {
      const found = kinds[d.kind](d, value, y);
      if (!found) return;
      at = found[0];
      const px = left + ((right - left) * (at - d.x[0])) / (d.x[1] - d.x[0]);
      cursor.setAttribute("x1", px);
      cursor.setAttribute("x2", px);
      cursor.style.visibility = "visible";
      const box = svg.getBoundingClientRect();
      const scale = box.width / svg.viewBox.baseVal.width;
      const [x, yy] = place || [box.left + px * scale, box.top + y * scale];
      tell(found[1], found[2], x, yy);
    };
    const hide = () => { tip.hidden = true; cursor.style.visibility = "hidden"; };
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const scale = svg.viewBox.baseVal.width / box.width;
      const px = (event.clientX - box.left) * scale;
      if (px < left - 4 || px > right + 4) return hide();
      show(d.x[0] + ((px - left) / (right - left)) * (d.x[1] - d.x[0]), (event.clientY - box.top) * scale, [event.clientX, event.clientY]);
    });
    svg.addEventListener("pointerleave", hide);
    svg.addEventListener("blur", hide);
    svg.addEventListener("keydown", (event) => {
      const span = d.x[1] - d.x[0];
      const sizes = { ArrowLeft: -1, ArrowRight: 1, PageUp: 10, PageDown: -10 };
      if (event.key === "Escape") return hide();
      if (event.key === "ArrowUp" || event.key === "ArrowDown") {
        if (d.kind !== "lanes") return;
        row = Math.min(Math.max(row + (event.key === "ArrowUp" ? -1 : 1), 0), d.lanes.length - 1);
      } else if (!(event.key in sizes) && event.key !== "Home" && event.key !== "End") return;
      event.preventDefault();
      let value = at === null ? d.x[0] : at;
      if (event.key === "Home") value = d.x[0];
      else if (event.key === "End") value = d.x[1];
      else if (event.key in sizes) value = step(value, sizes[event.key], span);
      show(Math.min(Math.max(value, d.x[0]), d.x[1]), d.kind === "lanes" ? d.top + (row + 0.5) * d.pitch : (top + bottom) / 2);
    });
    const step = (value, count, span) => {
      if (at === null) return value;
      if (d.kind === "bars") return value + count;
      if (d.kind === "lanes" || !d.lines.length) return value + (count * span) / 100;
      const xs = d.lines.reduce((a, b) => (b.x.length > a.x.length ? b : a)).x;
      return xs[Math.min(Math.max(nearest(xs, value) + count, 0), xs.length - 1)];
    };
  }
  const large = document.getElementById("large");
  for (const button of document.querySelectorAll(".zoom")) {
    button.addEventListener("click", () => {
      large.replaceChildren(button.querySelector("img").cloneNode());
      large.showModal();
    });
  }
  large.addEventListener("click", () => large.close());
  for (const frames of document.querySelectorAll(".frames")) {
    const all = [...frames.querySelectorAll(".frame")];
    if (all.length < 2) continue;
    const slider = element("input");
    slider.type = "range";
    slider.min = 0;
    slider.max = all.length - 1;
    slider.value = all.length - 1;
    slider.setAttribute("aria-label", "time of the snapshot");
    const choose = () => {
      all.forEach((frame, i) => frame.classList.toggle("now", i === Number(slider.value)));
      slider.setAttribute("aria-valuetext", all[slider.value].querySelector("span").textContent);
    };
    slider.addEventListener("input", choose);
    frames.append(slider);
    frames.classList.add("live");
    choose();
  }
  const root = document.documentElement;
  document.getElementById("theme").addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((d) => { d.open = true; }));
})();
