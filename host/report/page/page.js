// The report reads well without this: it adds sorting, the switch of light and dark, and the
// origin of a number where there is no mouse to hover with.
(function () {
  'use strict';
  var root = document.documentElement;
  var all = function (selector, inside) {
    return Array.prototype.slice.call((inside || document).querySelectorAll(selector));
  };

  // Light, dark, or as the system says.
  var themes = ['auto', 'light', 'dark'];
  var names = {auto: 'Theme: as the system', light: 'Theme: light', dark: 'Theme: dark'};
  var theme = 'auto';
  var remember = function (value) {  // a page opened from a file may have no storage
    try { localStorage.setItem('systole-theme', value); } catch (e) { return; }
  };
  try { theme = localStorage.getItem('systole-theme') || 'auto'; } catch (e) { theme = 'auto'; }
  if (themes.indexOf(theme) < 0) theme = 'auto';
  var button = document.createElement('button');
  button.className = 'theme';
  button.type = 'button';
  var show = function () {
    if (theme === 'auto') root.removeAttribute('data-theme');
    else root.setAttribute('data-theme', theme);
    button.textContent = names[theme];
  };
  button.addEventListener('click', function () {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length];
    remember(theme);
    show();
  });
  show();
  document.querySelector('header').appendChild(button);

  // Sorting: numbers from the largest, words from A; again: the other way; again: as written.
  var value = function (row, column) {
    var cell = row.cells[column];
    if (!cell) return null;
    if (cell.hasAttribute('data-v')) return parseFloat(cell.getAttribute('data-v'));
    var text = cell.textContent.trim();
    return text === '' ? null : text;
  };
  var sortable = function (table) {
    var heads = all('thead th', table);
    var bodies = all('tbody', table);
    var rows = all('tbody tr', table);
    var sorted = null;
    var put = function (order) {
      if (order === null) {
        if (sorted) table.removeChild(sorted);
        sorted = null;
        var at = 0;
        bodies.forEach(function (body) {
          table.appendChild(body);
          var count = +body.getAttribute('data-rows');
          while (count-- > 0) body.appendChild(rows[at++]);
        });
        return;
      }
      if (!sorted) {
        sorted = document.createElement('tbody');
        bodies.forEach(function (body) { table.removeChild(body); });
        table.appendChild(sorted);
      }
      order.forEach(function (row) { sorted.appendChild(row); });
    };
    bodies.forEach(function (body) { body.setAttribute('data-rows', body.rows.length); });
    heads.forEach(function (head, column) {
      var inner = document.createElement('button');
      inner.type = 'button';
      inner.title = 'Sort by this column';
      while (head.firstChild) inner.appendChild(head.firstChild);
      head.appendChild(inner);
      inner.addEventListener('click', function () {
        var numbers = rows.some(function (row) {
          return typeof value(row, column) === 'number';
        });
        var steps = numbers ? ['descending', 'ascending'] : ['ascending', 'descending'];
        var next = steps[steps.indexOf(head.getAttribute('aria-sort')) + 1] || null;
        heads.forEach(function (other) { other.removeAttribute('aria-sort'); });
        if (!next) {
          put(null);
          return;
        }
        head.setAttribute('aria-sort', next);
        var sign = next === 'ascending' ? 1 : -1;
        put(rows.slice().sort(function (x, y) {
          var a = value(x, column), b = value(y, column);
          if (a === null || b === null) return (a === null) - (b === null);
          if (typeof a !== typeof b) return typeof a === 'number' ? -1 : 1;
          if (typeof a === 'number') return sign * (a - b);
          return sign * a.localeCompare(b, 'en', {numeric: true});
        }));
      });
    });
  };
  all('table').forEach(function (table) {
    if (table.tHead && table.rows.length > 2) sortable(table);
  });

  // Where a number comes from, by a tap or a click on it.
  var tip = document.createElement('div');
  tip.className = 'tip';
  tip.setAttribute('role', 'status');
  tip.hidden = true;
  document.body.appendChild(tip);
  document.addEventListener('click', function (event) {
    var cell = event.target.closest ? event.target.closest('[data-origin]') : null;
    if (tip.contains(event.target) && !event.target.closest('a')) return;
    tip.hidden = !cell;
    if (!cell) return;
    tip.textContent = cell.getAttribute('title') + '. ';
    var link = document.createElement('a');
    link.href = '#' + cell.getAttribute('data-origin');
    link.textContent = 'All origins';
    tip.appendChild(link);
  });
  document.addEventListener('keydown', function (event) {
    if (event.key === 'Escape') tip.hidden = true;
  });

  // What is folded away opens when it is pointed at, and for paper.
  var reveal = function () {
    var target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    for (var at = target; at; at = at.parentElement) {
      if (at.tagName === 'DETAILS') at.open = true;
    }
    if (target) {
      all(':scope > details', target).forEach(function (inner) { inner.open = true; });
      target.scrollIntoView();
    }
  };
  window.addEventListener('hashchange', reveal);
  reveal();
  var closed = [];
  window.addEventListener('beforeprint', function () {
    closed = all('details:not([open])');
    closed.forEach(function (one) { one.open = true; });
  });
  window.addEventListener('afterprint', function () {
    closed.forEach(function (one) { one.open = false; });
  });

  // The section being read, in the list of contents.
  var links = {};
  all('.toc a').forEach(function (link) { links[link.hash.slice(1)] = link; });
  if ('IntersectionObserver' in window) {
    var seen = new IntersectionObserver(function (entries) {
      entries.forEach(function (entry) {
        var link = links[entry.target.id];
        if (!link || !entry.isIntersecting) return;
        all('.toc a[aria-current]').forEach(function (other) {
          other.removeAttribute('aria-current');
        });
        link.setAttribute('aria-current', 'true');
      });
    }, {rootMargin: '-10% 0px -70% 0px'});
    all('main [id]').forEach(function (part) { if (links[part.id]) seen.observe(part); });
  }
})();
