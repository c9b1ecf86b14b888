#include "report/html.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report/base64.h"
#include "report/figure.h"
#include "report/html_style.h"
#include "report/palette.h"
#include "text.h"

/* Text from outside; " x " between sizes becomes the sign for it. */
static void put(FILE *file, const char *text) {
  for (; *text != '\0'; text++) {
    switch (*text) {
      case '&':
        fputs("&amp;", file);
        break;
      case '<':
        fputs("&lt;", file);
        break;
      case '>':
        fputs("&gt;", file);
        break;
      case '"':
        fputs("&quot;", file);
        break;
      default:
        if (strncmp(text, " x ", 3) == 0) {
          fputs(" &times; ", file);
          text += 2;
        } else {
          fputc(*text, file);
        }
    }
  }
}

static void put_figure(FILE *file, double value) {
  char text[SystoleText];
  fputs(systole_text_figure(text, value), file);
}

/* ---- the head of the page ------------------------------------------------------- */

static void put_verdict(FILE *file, const systole_report *report) {
  size_t checked = 0, wrong = 0;
  for (size_t i = 0; i < report->result_count; i++) {
    checked += report->results[i].checked != 0;
    wrong += report->results[i].checked && report->results[i].mismatches > 0;
  }
  if (wrong > 0) {
    fprintf(file, "<p class=\"verdict bad\">%zu of %zu results are wrong</p>\n", wrong,
            checked);
  } else if (checked == report->result_count) {
    fprintf(file,
            "<p class=\"verdict good\">All %zu results are exact, bit for bit</p>\n",
            checked);
  } else {
    fprintf(file,
            "<p class=\"verdict\">%zu of %zu results were checked and are exact</p>\n",
            checked, report->result_count);
  }
}

static const systole_result *best_of(const systole_report *report, const char *device) {
  const systole_result *best = NULL;
  for (size_t i = 0; i < report->result_count; i++) {
    const systole_result *r = &report->results[i];
    if (strcmp(r->device, device) != 0 || !(r->stats.gops > 0)) continue;
    if (best == NULL || r->stats.gops > best->stats.gops) best = r;
  }
  return best;
}

static void put_range(FILE *file, const systole_bounds *bounds, const char *unit) {
  put_figure(file, bounds->nominal);
  fprintf(file, "%s <span class=\"kind\">(", unit);
  put_figure(file, bounds->low);
  fputs("&ndash;", file);
  put_figure(file, bounds->high);
  fprintf(file, ", %s)</span>", systole_kind_word(bounds->kind));
}

static void put_device(FILE *file, const systole_report *report, size_t index) {
  const systole_report_device *device = &report->devices[index];
  const systole_result *best = best_of(report, device->name);
  fprintf(file, "<div class=\"device\" style=\"border-top-color:%s\"><h3>",
          systole_palette_device(report, index, SYSTOLE_THEME_LIGHT));
  put(file, device->name);
  fputs("</h3><div class=\"about\">", file);
  put(file, device->about);
  fputs("</div>", file);
  if (best != NULL) {
    const systole_stats *s = &best->stats;
    const systole_bounds efficiency = systole_result_efficiency(best);
    fputs("<div class=\"big\">", file);
    put_figure(file, s->gops);
    fputs(" <span class=\"unit\">GOP/s at best</span></div><dl><dt>with</dt><dd>", file);
    put(file, best->label);
    fputs("</dd>", file);
    if (s->has_cycles) {
      fprintf(file,
              "<dt>utilisation</dt><dd>%.1f %%</dd><dt>clock</dt><dd>%g MHz %s</dd>",
              100 * s->utilisation, s->clock_mhz,
              systole_kind_word(s->clock_kind) != NULL ? systole_kind_word(s->clock_kind)
                                                       : "");
      if (s->memory != NULL) {
        fputs("<dt>memory</dt><dd>", file);
        put(file, s->memory);
        fputs("</dd>", file);
      }
    }
    if (systole_result_percent_of_peak(best) >= 0) {
      fprintf(file, "<dt>of its peak</dt><dd>%.1f %%</dd>",
              systole_result_percent_of_peak(best));
    }
    if (s->kernel != NULL && !s->has_cycles) {
      fputs("<dt>kernel</dt><dd>", file);
      put(file, s->kernel);
      fputs("</dd>", file);
    }
    if (s->power_w.kind != SYSTOLE_KIND_UNKNOWN) {
      fputs("<dt>power</dt><dd>", file);
      put_range(file, &s->power_w, " W");
      fputs("</dd>", file);
    }
    if (efficiency.kind != SYSTOLE_KIND_UNKNOWN) {
      fputs("<dt>GOP/s/W</dt><dd>", file);
      put_range(file, &efficiency, "");
      fputs("</dd>", file);
    }
    fputs("</dl>", file);
  }
  fputs("</div>\n", file);
}

/* An 8-bit bitmap: the one picture format that needs no library. */
static void put_picture(FILE *file, const uint8_t *pixels, int side, int index) {
  enum { Header = 54, Palette = 1024, MaxSide = 64 };
  uint8_t image[Header + Palette + MaxSide * MaxSide] = {0};
  const int stride = (side + 3) / 4 * 4;
  const uint32_t size = (uint32_t)(Header + Palette + stride * side);
  const struct {
    int at;
    uint32_t value;
  } fields[] = {{2, size},
                {10, Header + Palette},
                {14, 40},
                {18, (uint32_t)side},
                {22, (uint32_t)side},
                {26, 1 | 8u << 16},
                {46, 256}};
  if (side > MaxSide) return;
  image[0] = 'B';
  image[1] = 'M';
  for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
    for (int byte = 0; byte < 4; byte++) {
      image[fields[i].at + byte] = (uint8_t)(fields[i].value >> (8 * byte));
    }
  }
  for (int i = 0; i < 256; i++) memset(image + Header + 4 * i, i, 3);
  for (int row = 0; row < side; row++) {
    memcpy(image + Header + Palette + (side - 1 - row) * stride, pixels + row * side,
           (size_t)side);
  }
  fprintf(file, "<img alt=\"picture %d\" src=\"data:image/bmp;base64,", index + 1);
  systole_base64(file, image, size);
  fputs("\">", file);
}

static void put_pictures(FILE *file, const systole_report *report) {
  if (report->picture_count == 0) return;
  fputs(
      "<section><h2>What went in</h2><p>The first pictures of the batch. Each layer's "
      "product "
      "starts from the exact activations of the layer before, so one device's error "
      "cannot "
      "hide in another's.</p><div class=\"digits\">",
      file);
  const int pixels = report->picture_side * report->picture_side;
  for (int i = 0; i < report->picture_count; i++) {
    put_picture(file, report->pictures + i * pixels, report->picture_side, i);
  }
  fputs("</div></section>\n", file);
}

/* ---- figures -------------------------------------------------------------------- */

static void put_drawing(FILE *file, const systole_figure *figure, const char *folder) {
  char light[4096], dark[4096];
  snprintf(light, sizeof light, "%s/%s-light.svg", folder, figure->name);
  snprintf(dark, sizeof dark, "%s/%s-dark.svg", folder, figure->name);
  if (access(light, R_OK) != 0 || access(dark, R_OK) != 0) return;
  fprintf(file,
          "<section><h2>%s</h2><figure><div class=\"drawing\"><picture><source "
          "media=\"screen and (prefers-color-scheme:dark)\" "
          "srcset=\"data:image/svg+xml;base64,",
          figure->title);
  systole_base64_file(file, dark);
  fprintf(file, "\"><img alt=\"%s\" src=\"data:image/svg+xml;base64,", figure->title);
  systole_base64_file(file, light);
  fprintf(file, "\"></picture></div><figcaption>%s</figcaption></figure></section>\n",
          figure->caption);
}

/* ---- tables --------------------------------------------------------------------- */

static int has_ledger(const systole_report *report) {
  for (size_t i = 0; i < report->result_count; i++) {
    if (report->results[i].stats.has_cycles) return 1;
  }
  return 0;
}

static void put_ledger_help(FILE *file) {
  fputs(
      "<section><h2>The cycle ledger</h2><p>Judged each cycle at the edge where "
      "activations "
      "enter the array; the first line that fits is charged, so the parts always sum to "
      "the "
      "cycles of the run.</p><div class=\"scroll\"><table><tbody>",
      file);
  for (int part = 0; part < SystoleLedgerParts; part++) {
    fprintf(file,
            "<tr><td><span class=\"swatch\" style=\"background:%s\"></span>%s</td>"
            "<td class=\"wrap\">%s</td></tr>",
            systole_palette_ledger(part, SYSTOLE_THEME_LIGHT), systole_ledger_name(part),
            systole_ledger_meaning(part));
  }
  fputs("</tbody></table></div></section>\n", file);
}

/* Rows of one product belong together. */
static void open_row(FILE *file, const systole_report *report, size_t i,
                     const char **previous) {
  const systole_result *r = &report->results[i];
  const int same = *previous != NULL && strcmp(*previous, r->label) == 0;
  if (!same) {
    if (*previous != NULL) fputs("</tbody>", file);
    fputs("<tbody class=\"group\">", file);
  }
  fputs("<tr><td>", file);
  if (!same) put(file, r->label);
  fprintf(
      file,
      "</td><td class=\"text\"><span class=\"swatch\" style=\"background:%s\"></span>",
      systole_palette_device(report, systole_figure_device(report, r),
                             SYSTOLE_THEME_LIGHT));
  put(file, r->device);
  fputs("</td>", file);
  *previous = r->label;
}

static void put_cell_bounds(FILE *file, const systole_bounds *bounds, double scale) {
  if (bounds->kind == SYSTOLE_KIND_UNKNOWN) {
    fputs("<td></td>", file);
    return;
  }
  fputs("<td>", file);
  put_figure(file, scale * bounds->nominal);
  fputs(" <span class=\"kind\">", file);
  put_figure(file, scale * bounds->low);
  fputs("&ndash;", file);
  put_figure(file, scale * bounds->high);
  fputs("</span></td>", file);
}

static void put_seconds(FILE *file, double seconds) {
  char text[SystoleText];
  systole_text_seconds(text, seconds);
  const size_t length = strlen(text);
  if (length > 2 && strcmp(text + length - 2, "us") == 0) {
    fprintf(file, "%.*s&micro;s", (int)length - 2, text);
  } else {
    fputs(text, file);
  }
}

static void put_result(FILE *file, const systole_result *r) {
  const systole_stats *s = &r->stats;
  const double percent = systole_result_percent_of_peak(r);
  if (!r->checked) {
    fputs("<td>not checked</td>", file);
  } else if (r->mismatches == 0) {
    fputs("<td class=\"good\">exact</td>", file);
  } else {
    fprintf(file, "<td class=\"bad\">%" PRIu64 " wrong</td>", r->mismatches);
  }
  if (s->seconds > 0) {
    fputs("<td>", file);
    put_figure(file, s->gops);
    fprintf(file, "</td><td class=\"kind text\">%s</td>",
            systole_result_is_modelled(r) ? "modelled" : "measured");
  } else {
    fputs("<td></td><td></td>", file);
  }
  if (s->has_cycles) {
    fprintf(file, "<td>%.1f %%</td><td>", 100 * s->utilisation);
    if (isfinite(s->utilisation_ceiling)) {
      fprintf(file, "%.1f %%", 100 * s->utilisation_ceiling);
    }
    fputs("</td>", file);
  } else if (percent >= 0) {
    fprintf(file, "<td>%.1f %% <span class=\"kind\">of peak</span></td><td></td>",
            percent);
  } else {
    fputs("<td></td><td></td>", file);
  }
  fputs("<td>", file);
  if (s->seconds > 0) put_seconds(file, s->seconds);
  fputs("</td><td>", file);
  put_seconds(file, s->wall_s);
  fprintf(file, "</td><td>%.0f %%</td><td>", 100 * s->host_share);
  if (s->sim_cpu_s > 0 && s->macs > 0)
    put_figure(file, (double)s->macs / s->sim_cpu_s / 1e9);
  fputs("</td></tr>", file);
}

static void put_results(FILE *file, const systole_report *report) {
  const char *previous = NULL;
  fputs(
      "<section class=\"long\"><h2>All results</h2><p>The time is the device's. What a "
      "person "
      "waited for it, simulation included, stands beside it, with the share of that "
      "which "
      "went into packing and unpacking matrices.</p><div "
      "class=\"scroll\"><table><thead><tr>"
      "<th>product M &times; N &times; K</th><th "
      "class=\"text\">device</th><th>result</th>"
      "<th>GOP/s</th><th></th><th>utilisation</th><th>shape<br>allows</th><th>time</th>"
      "<th>waited</th><th>packing</th><th>simulated,<br>GMAC per CPU s</th></tr></thead>",
      file);
  for (size_t i = 0; i < report->result_count; i++) {
    open_row(file, report, i, &previous);
    put_result(file, &report->results[i]);
  }
  fputs("</tbody></table></div></section>\n", file);
}

/* The reason and the advice, product by product. */
static void put_reasons(FILE *file, const systole_report *report) {
  const char *previous = NULL;
  fputs(
      "<section class=\"long\"><h2>Why below the peak, and what would change "
      "it</h2><p>The "
      "reason is read off the ledger. What would change it was planned and forecast as "
      "if it "
      "ran; forecasts are within 5 % of the simulation.</p><div class=\"scroll\"><table>"
      "<thead><tr><th>product</th><th class=\"text\">device</th><th>utilisation</th><th "
      "class=\"text\">why</th></tr></thead>",
      file);
  for (size_t i = 0; i < report->result_count; i++) {
    const systole_result *r = &report->results[i];
    const systole_explanation *e = &r->explanation;
    if (e->limit[0] == '\0') continue;
    open_row(file, report, i, &previous);
    fprintf(file, "<td>%.1f %%</td><td class=\"wrap\">", 100 * r->stats.utilisation);
    put(file, e->sentence);
    for (int a = 0; a < e->count; a++) {
      if (e->advice[a].command[0] == '\0') continue;
      fprintf(file, "<br>%.1f %%: <code>", 100 * e->advice[a].utilisation);
      put(file, e->advice[a].command);
      fputs("</code>", file);
    }
    fputs("</td></tr>", file);
  }
  fputs("</tbody></table></div></section>\n", file);
}

static int has_reasons(const systole_report *report) {
  for (size_t i = 0; i < report->result_count; i++) {
    if (report->results[i].explanation.limit[0] != '\0') return 1;
  }
  return 0;
}

static int has_power(const systole_report *report) {
  for (size_t i = 0; i < report->result_count; i++) {
    if (report->results[i].stats.power_w.kind != SYSTOLE_KIND_UNKNOWN) return 1;
  }
  return 0;
}

static void put_powers(FILE *file, const systole_report *report) {
  const char *previous = NULL;
  fputs(
      "<section class=\"long\"><h2>Power and energy</h2><p>Small grey numbers are the "
      "low and "
      "high bound.</p><div class=\"scroll\"><table><thead><tr><th>product</th>"
      "<th class=\"text\">device</th><th>power, W</th><th>energy, mJ</th><th>GOP/s/W</th>"
      "<th class=\"text\">how</th></tr></thead>",
      file);
  for (size_t i = 0; i < report->result_count; i++) {
    const systole_result *r = &report->results[i];
    const systole_bounds efficiency = systole_result_efficiency(r);
    const char *kind = systole_kind_word(r->stats.power_w.kind);
    open_row(file, report, i, &previous);
    put_cell_bounds(file, &r->stats.power_w, 1);
    put_cell_bounds(file, &r->stats.energy_j, 1000);
    put_cell_bounds(file, &efficiency, 1);
    fprintf(file, "<td class=\"kind text\">%s</td></tr>", kind != NULL ? kind : "");
  }
  fputs("</tbody></table></div></section>\n", file);
}

static void put_cycles(FILE *file, const systole_report *report) {
  const char *previous = NULL;
  char text[SystoleText];
  fputs(
      "<section class=\"long\"><h2>All cycles and bytes</h2><div "
      "class=\"scroll\"><table><thead>"
      "<tr><th>product</th><th class=\"text\">device</th><th>cycles</th>",
      file);
  for (int part = 0; part < SystoleLedgerParts; part++) {
    const char *name = systole_ledger_name(part), *bar = strchr(name, '_');
    if (bar != NULL) {
      fprintf(file, "<th>%.*s<br>%s</th>", (int)(bar - name), name, bar + 1);
    } else {
      fprintf(file, "<th>%s</th>", name);
    }
  }
  fputs("<th>read</th><th>written</th><th>operations<br>per byte</th></tr></thead>",
        file);
  for (size_t i = 0; i < report->result_count; i++) {
    const systole_result *r = &report->results[i];
    int counted;
    if (!r->stats.has_cycles) continue;
    open_row(file, report, i, &previous);
    fprintf(file, "<td>%s</td>", systole_text_count(text, r->stats.cycles));
    for (int part = 0; part < SystoleLedgerParts; part++) {
      fprintf(file, "<td>%s</td>",
              systole_text_count(text, systole_ledger_part(&r->stats.ledger, part)));
    }
    fprintf(file, "<td>%s</td>", systole_text_bytes(text, r->stats.dram_read_bytes));
    fprintf(file, "<td>%s</td><td>", systole_text_bytes(text, r->stats.dram_write_bytes));
    put_figure(file, systole_result_intensity(r, &counted));
    fputs("</td></tr>", file);
  }
  fputs("</tbody></table></div></section>\n", file);
}

/* ---- tables that the workload added ---------------------------------------------- */

static void put_cell(FILE *file, const systole_cell *cell) {
  const char *kind = systole_kind_word(cell->kind);
  fputs(kind != NULL ? "<td" : "<td class=\"text\"", file);
  if (cell->source != NULL) {
    fputs(" title=\"", file);
    if (kind != NULL) fprintf(file, "%s: ", kind);
    put(file, cell->source);
    fputs("\"", file);
  }
  fputs(">", file);
  if (kind != NULL) {
    put_figure(file, cell->value);
    if (cell->low < cell->high) {
      fputs(" <span class=\"kind\">", file);
      put_figure(file, cell->low);
      fputs("&ndash;", file);
      put_figure(file, cell->high);
      fputs("</span>", file);
    }
  } else if (cell->text != NULL) {
    put(file, cell->text);
  }
  fputs("</td>", file);
}

static void put_table(FILE *file, const systole_table *table) {
  fputs("<section class=\"long\"><h2>", file);
  put(file, systole_table_title(table));
  fputs("</h2>", file);
  if (systole_table_found(table)[0] != '\0') {
    fputs("<p><b>", file);
    put(file, systole_table_found(table));
    fputs("</b></p>", file);
  }
  fputs("<p>", file);
  put(file, systole_table_caption(table));
  fputs("</p><div class=\"scroll\"><table><thead><tr>", file);
  for (size_t c = 0; c < systole_table_columns(table); c++) {
    const systole_column *head = systole_table_head(table, c);
    fputs("<th>", file);
    put(file, head->title);
    if (head->unit[0] != '\0') {
      fputs("<br>", file);
      put(file, head->unit);
    }
    fputs("</th>", file);
  }
  fputs("</tr></thead><tbody>", file);
  for (size_t row = 0; row < systole_table_rows(table); row++) {
    fputs("<tr>", file);
    for (size_t c = 0; c < systole_table_columns(table); c++) {
      put_cell(file, systole_table_cell(table, row, c));
    }
    fputs("</tr>", file);
  }
  fputs("</tbody></table></div></section>\n", file);
}

/* ---- how it came to be ---------------------------------------------------------- */

static void put_fact(FILE *file, const char *name, const char *value) {
  if (value[0] == '\0') return;
  fprintf(file, "<dt>%s</dt><dd>", name);
  put(file, value);
  fputs("</dd>", file);
}

static void put_origin(FILE *file, const systole_report *report) {
  char text[SystoleText], cores[16];
  snprintf(cores, sizeof cores, "%d", report->machine.cores);
  fputs(
      "<section><h2>Where the figures come from</h2><dl class=\"facts\">"
      "<dt>measured</dt><dd>Taken on this machine: wall time of the CPU (median of its "
      "repeats, "
      "interleaved over the whole run), its peak by a register-only loop.</dd>"
      "<dt>modelled</dt><dd>Computed from exact counts: seconds are cycles over an "
      "assumed "
      "clock; energy is counted events times published or estimated coefficients, "
      "between "
      "honest bounds.</dd><dt>assumed</dt><dd>Chosen, and shown beside what depends on "
      "it: the "
      "clock of a simulated array.</dd></dl><p>Again: <code>",
      file);
  put(file, report->command);
  fputs("</code></p><dl class=\"facts\">", file);
  put_fact(file, "CPU", report->machine.cpu);
  put_fact(file, "cores", cores);
  if (report->machine.memory_bytes > 0) {
    put_fact(file, "memory", systole_text_bytes(text, report->machine.memory_bytes));
  }
  put_fact(file, "system", report->machine.system);
  put_fact(file, "kernel", report->machine.kernel);
  fputs("<dt>took</dt><dd>", file);
  put_seconds(file, report->wall_s);
  fputs("</dd></dl></section>\n", file);
}

static void put_warning(FILE *file, const char *warning) {
  if (warning == NULL) return;
  fputs("<section><p class=\"bad\">", file);
  put(file, warning);
  fputs("</p></section>\n", file);
}

void systole_report_html(FILE *file, const systole_report *report, const char *figures,
                         const char *warning) {
  fputs(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" "
      "content=\"width=device-width,initial-scale=1\"><title>Systole: ",
      file);
  put(file, report->title);
  fprintf(file,
          "</title>\n<style>\n%s</style></head>\n<body><main>\n<h1>Systole</h1><p "
          "class=\"lead\">",
          html_style);
  put(file, report->title);
  fputs("</p>\n", file);
  put_verdict(file, report);
  fputs("<div class=\"devices\">\n", file);
  for (size_t i = 0; i < report->device_count; i++) put_device(file, report, i);
  fputs("</div>\n", file);
  put_warning(file, warning);
  put_warning(file, report->note[0] != '\0' ? report->note : NULL);
  put_pictures(file, report);
  for (int i = 0; systole_figure_at(i) != NULL; i++) {
    const systole_figure *figure = systole_figure_at(i);
    put_drawing(file, figure, figures);
    if (figure == &systole_figure_ledger && has_ledger(report)) put_ledger_help(file);
  }
  for (size_t i = 0; i < systole_tables_count(report->tables); i++) {
    put_table(file, systole_tables_at(report->tables, i));
  }
  put_results(file, report);
  if (has_reasons(report)) put_reasons(file, report);
  if (has_power(report)) put_powers(file, report);
  if (has_ledger(report)) put_cycles(file, report);
  put_origin(file, report);
  fputs("<footer>Written by Systole ", file);
  put(file, report->version);
  if (report->date[0] != '\0') {
    fputs(" on ", file);
    put(file, report->date);
  }
  fputs(
      ". The same numbers for programs: results.json and results.csv beside this "
      "page.</footer>\n"
      "</main></body></html>\n",
      file);
}
