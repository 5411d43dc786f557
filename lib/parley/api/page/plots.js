// Small plots, drawn as SVG. Each is said in words, too, and a number stands on what is pointed at.

import { h, s, took } from "./dom.js";

const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [560, 190, 44, 24, 10];

/** Bars over time, each of several parts. */
export function bars(label, rows) {
  const most = nice(Math.max(1, ...rows.map((row) => row.parts.reduce((sum, part) => sum + part.value, 0))));
  const step = (WIDTH - LEFT) / rows.length;
  const svg = frame(label, most, (value) => value, rows.map((row) => row.at));
  rows.forEach((row, n) => {
    let y = HEIGHT - BOTTOM;
    const title = s("title", `${time(row.at)}: ${row.parts.filter((part) => part.value).map((part) => `${part.value} ${part.name}`).join(", ") || "none"}`);
    const bar = s("g.bar", title, s("rect.hit", { x: LEFT + n * step, y: TOP, width: step, height: HEIGHT - BOTTOM - TOP }));
    for (const part of row.parts.filter((one) => one.value)) {
      const high = (part.value / most) * (HEIGHT - BOTTOM - TOP);
      bar.append(s("rect", { "data-look": part.look, x: LEFT + n * step + step * 0.14, y: (y -= high), width: step * 0.72, height: high, rx: Math.min(2, high / 2) }));
    }
    svg.append(bar);
  });
  return [svg, legend(rows[0].parts)];
}

/** Lines over time, in seconds; where nothing is known there is a gap. */
export function lines(label, times, series) {
  const most = nice(Math.max(0.1, ...series.flatMap((one) => one.values.filter((value) => value !== null))));
  const x = (n) => LEFT + ((n + 0.5) / times.length) * (WIDTH - LEFT);
  const y = (value) => HEIGHT - BOTTOM - (value / most) * (HEIGHT - BOTTOM - TOP);
  const svg = frame(label, most, (value) => took(value * 1000), times);
  for (const { look, name, values } of series) {
    let path = "";
    values.forEach((value, n) => {
      if (value === null) return;
      path += `${path && values[n - 1] !== null ? "L" : "M"}${x(n).toFixed(1)} ${y(value).toFixed(1)}`;
    });
    svg.append(s("path.line", { "data-look": look, d: path }));
    values.forEach((value, n) => value !== null && svg.append(s("circle.dot", { "data-look": look, cx: x(n), cy: y(value), r: 2.6 }, s("title", `${time(times[n])}: ${name} ${took(value * 1000)}`))));
  }
  return [svg, legend(series)];
}

/** One bar of shares, with its legend. */
export function shares(label, parts) {
  const whole = parts.reduce((sum, part) => sum + part.value, 0) || 1;
  let x = 0;
  const svg = s("svg.shares", { viewBox: "0 0 100 6", preserveAspectRatio: "none", role: "img", "aria-label": `${label}: ${parts.map((part) => `${part.value} ${part.name}`).join(", ")}` });
  for (const part of parts) {
    const wide = (100 * part.value) / whole;
    svg.append(s("rect", { "data-look": part.look, x, y: 0, width: Math.max(wide - 0.4, 0.3), height: 6 }, s("title", `${part.value} ${part.name}`)));
    x += wide;
  }
  return h("div.share", h("b", label), svg, legend(parts, true));
}

function legend(parts, counts = false) {
  return h("p.legend", parts.map((part) => h("span", { "data-look": part.look }, counts ? `${part.name} ${part.value}` : part.name)));
}

function frame(label, most, said, times) {
  const svg = s("svg.chart", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label });
  for (const part of [0, 0.5, 1]) {
    const y = HEIGHT - BOTTOM - part * (HEIGHT - BOTTOM - TOP);
    svg.append(s("line.grid", { x1: LEFT, x2: WIDTH, y1: y, y2: y }), s("text.scale", { x: LEFT - 8, y: y + 4 }, said(most * part)));
  }
  for (const n of [0, Math.floor(times.length / 2), times.length - 1])
    svg.append(s("text.time", { x: LEFT + ((n + 0.5) / times.length) * (WIDTH - LEFT), y: HEIGHT - 6, "data-end": n === times.length - 1 }, time(times[n])));
  return svg;
}

/** The next number that reads well, and halves well. */
function nice(value) {
  const unit = 10 ** Math.floor(Math.log10(value));
  return unit * [1, 2, 4, 6, 8, 10].find((factor) => factor * unit >= value);
}

function time(at) {
  const day = Date.now() - new Date(at) > 86400000;
  return new Date(at).toLocaleString("en-GB", day ? { weekday: "short", hour: "2-digit", minute: "2-digit" } : { hour: "2-digit", minute: "2-digit" });
}
