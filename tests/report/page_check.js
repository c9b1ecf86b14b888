// Looks at a report as a reader would and returns the list of what is wrong with it. Runs inside
// the page; asynchronous, since pictures are decoded when they are seen.
const faults = [];
const fault = (words) => { if (faults.length < 30) faults.push(words); };
const width = document.documentElement.clientWidth;
const name = (e) => {
  const section = e.closest('section,header,nav,.device,footer');
  return `<${e.tagName.toLowerCase()} class="${e.className}"> in ` +
      `${section ? section.id || section.tagName.toLowerCase() : 'the page'}`;
};
const all = (selector, inside) => [...(inside || document).querySelectorAll(selector)];
const shown = (e) => e.checkVisibility ? e.checkVisibility() : e.offsetParent !== null;

all('details').forEach((one) => { one.open = true; });

// ---- the page does not scroll sideways; what is wide scrolls in its own frame
if (document.documentElement.scrollWidth > width) {
  fault(`the page is ${document.documentElement.scrollWidth} wide in a window of ${width}`);
}
const frames = matchMedia('print').matches ? 'svg' : '.scroll, .drawing, svg'; // paper does not scroll
for (const e of all('main *')) {
  if (!shown(e) || e.closest(frames)) continue;
  const box = e.getBoundingClientRect();
  if (box.width > 0 && (box.right > width + 1 || box.left < -1)) fault(`${name(e)} leaves the window`);
}

// ---- text stays inside its box, and can be read on its ground
const ground = (e) => {
  for (let at = e; at; at = at.parentElement) {
    const colour = getComputedStyle(at).backgroundColor.match(/[\d.]+/g).map(Number);
    if (colour.length < 4 || colour[3] > 0.99) return colour;
  }
  return [255, 255, 255];
};
const light = (rgb) => {
  const [r, g, b] = rgb.slice(0, 3).map((c) => {
    const v = c / 255;
    return v <= 0.03928 ? v / 12.92 : Math.pow((v + 0.055) / 1.055, 2.4);
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
let letters = 0;
for (let node = walker.nextNode(); node; node = walker.nextNode()) {
  const e = node.parentElement;
  if (!node.data.trim() || !shown(e) || ['SCRIPT', 'STYLE'].includes(e.tagName)) continue;
  letters += node.data.length;
  let block = e;
  while (getComputedStyle(block).display.startsWith('inline') && block.tagName !== 'BUTTON') {
    block = block.parentElement;
  }
  const outer = block.getBoundingClientRect();
  const range = document.createRange();
  range.selectNodeContents(node);
  for (const box of range.getClientRects()) {
    if (box.width === 0) continue;
    if (box.left < outer.left - 1.5 || box.right > outer.right + 1.5 ||
        box.top < outer.top - 4 || box.bottom > outer.bottom + 4) {
      fault(`"${node.data.trim().slice(0, 40)}" leaves ${name(block)}`);
      break;
    }
  }
  const style = getComputedStyle(block);
  if (style.overflow === 'hidden' && (block.scrollWidth > block.clientWidth + 1 ||
      block.scrollHeight > block.clientHeight + 1)) {
    fault(`"${node.data.trim().slice(0, 40)}" is cut off by ${name(block)}`);
  }
  const a = light(getComputedStyle(e).color.match(/[\d.]+/g).map(Number)), b = light(ground(e));
  const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (contrast < 4.5) {
    fault(`"${node.data.trim().slice(0, 40)}" has a contrast of ${contrast.toFixed(2)} in ${name(e)}`);
  }
}
if (letters < 500) fault(`the page has ${letters} letters of text`);

// ---- figures are there, drawn, and their own words fit
const marks = 'path, use, circle, polygon, polyline, rect, line';
const drawings = all('figure[data-name]');
for (const figure of drawings) {
  const what = `figure ${figure.dataset.name}`;
  const seen = all('img', figure).filter(shown);
  if (seen.length !== 1) { fault(`${what} shows ${seen.length} pictures`); continue; }
  const img = seen[0];
  try { await img.decode(); } catch (error) { fault(`${what} cannot be decoded`); continue; }
  const box = img.getBoundingClientRect();
  if (box.width < 300 || box.height < 150) fault(`${what} is ${box.width} x ${box.height}`);
  const canvas = document.createElement('canvas');
  canvas.width = 480;
  canvas.height = Math.max(1, Math.round(480 * img.naturalHeight / img.naturalWidth));
  const pen = canvas.getContext('2d');
  pen.drawImage(img, 0, 0, canvas.width, canvas.height);
  const pixels = pen.getImageData(0, 0, canvas.width, canvas.height).data;
  const colours = new Map();
  for (let i = 0; i < pixels.length; i += 4) {
    const colour = pixels[i] << 16 | pixels[i + 1] << 8 | pixels[i + 2];
    colours.set(colour, (colours.get(colour) || 0) + 1);
  }
  const total = canvas.width * canvas.height;
  const most = Math.max(...colours.values());
  if (total - most < 0.01 * total) fault(`${what} is empty: ${total - most} of ${total} pixels`);

  // gnuplot groups each plotted series: one at least must have marks.
  const text = new TextDecoder().decode(
      Uint8Array.from(atob(img.src.slice(img.src.indexOf(',') + 1)), (c) => c.charCodeAt(0)));
  const svg = new DOMParser().parseFromString(text, 'image/svg+xml').documentElement;
  if (svg.tagName !== 'svg') { fault(`${what} is no SVG`); continue; }
  const series = all('[id^="gnuplot_plot_"]', svg);
  const drawn = series.filter((group) => group.querySelector(marks)).length;
  if (drawn === 0) fault(`${what} has no drawn series among ${series.length}`);
  const holder = document.createElement('div');
  holder.style.cssText = 'position:absolute;left:0;top:0;visibility:hidden;width:0;height:0;overflow:hidden';
  holder.appendChild(document.importNode(svg, true));
  document.body.appendChild(holder);
  const live = holder.firstChild;
  const view = live.viewBox.baseVal;
  for (const words of all('text', live)) {
    if (!words.textContent.trim()) continue;
    const own = words.getBBox(), at = words.getCTM(), base = live.getCTM();
    // In units of the figure, whatever its size in the page.
    const matrix = base.inverse().multiply(at);
    const corners = [[own.x, own.y], [own.x + own.width, own.y + own.height],
                     [own.x, own.y + own.height], [own.x + own.width, own.y]].map(([x, y]) =>
      new DOMPoint(x, y).matrixTransform(matrix));
    const xs = corners.map((p) => p.x), ys = corners.map((p) => p.y);
    if (Math.min(...xs) < view.x - 1 || Math.max(...xs) > view.x + view.width + 1 ||
        Math.min(...ys) < view.y - 1 || Math.max(...ys) > view.y + view.height + 1) {
      fault(`${what}: "${words.textContent.trim().slice(0, 50)}" leaves the picture`);
    }
  }
  holder.remove();
}

// ---- each number tells where it comes from
const numbers = all('[data-origin]');
for (const e of numbers) {
  if (!e.title) fault(`${name(e)} has no title`);
  if (!document.getElementById(e.dataset.origin)) fault(`${e.dataset.origin} is not in the table`);
}
for (const e of all('td[data-v]')) {
  if (!e.dataset.origin && !e.closest('[data-name="changes"]')) fault(`${name(e)} has no origin`);
}

// ---- tables sort by every column, and back
const rowsOf = (table) => all('tbody tr', table);
for (const table of all('table')) {
  if (matchMedia('print').matches || !table.tHead || rowsOf(table).length < 2) continue;
  const before = rowsOf(table);
  all('thead th', table).forEach((head, column) => {
    const button = head.querySelector('button');
    if (!button) { fault(`table ${table.dataset.name}: column ${column} does not sort`); return; }
    const values = () => rowsOf(table).map((row) => row.cells[column])
        .map((cell) => cell && cell.dataset.v !== undefined ? +cell.dataset.v : null)
        .filter((value) => value !== null);
    const signs = [];
    for (let click = 0; click < 2; click++) {
      button.click();
      const sort = head.getAttribute('aria-sort');
      signs.push(sort);
      const list = values();
      for (let i = 1; i < list.length; i++) {
        const good = sort === 'ascending' ? list[i - 1] <= list[i] : list[i - 1] >= list[i];
        if (!good) { fault(`table ${table.dataset.name}: column ${column} is not ${sort}`); break; }
      }
    }
    if (signs.slice().sort().join() !== 'ascending,descending') {
      fault(`table ${table.dataset.name}: aria-sort was ${signs}`);
    }
    button.click();
    const after = rowsOf(table);
    if (after.length !== before.length || after.some((row, i) => row !== before[i])) {
      fault(`table ${table.dataset.name}: the order as written does not come back`);
    }
  });
}
return {faults, figures: drawings.length, numbers: numbers.length, letters};
